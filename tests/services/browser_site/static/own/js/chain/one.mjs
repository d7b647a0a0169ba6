export { depth } from "./two.mjs";
