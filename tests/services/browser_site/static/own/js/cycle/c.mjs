import { a } from "./a.mjs"; export const c = () => "c" + a;
