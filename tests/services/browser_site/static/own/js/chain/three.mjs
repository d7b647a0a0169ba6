export * from "./three-parts.mjs"; export * as parts from "./three-parts.mjs";
