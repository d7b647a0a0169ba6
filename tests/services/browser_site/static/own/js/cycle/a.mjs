import { b } from "./b.mjs"; export const a = "a"; export const around = () => a + b();
