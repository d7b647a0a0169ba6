import { twice } from "./parts/twice.mjs"; onmessage = async () => postMessage(twice((await import("./parts/word.mjs")).word));
