// Reads paths, one a line, and answers each with a line of JSON: the references that the syntax tree of acorn has.
// Run by javascript_node.py. Which URLs count is left to the caller; source map comments are not looked for.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages are in the folder that the first argument names.
const require = createRequire(pathToFileURL(process.argv[2] + "/"));
const acorn = require("acorn");

const OPTIONS = { ecmaVersion: "latest", allowHashBang: true, allowReturnOutsideFunction: true };

function parsed(text) {
  const attempt = (sourceType) => acorn.parse(text, { ...OPTIONS, sourceType });
  let module, error;
  try {
    module = attempt("module");
    if ([...nodes(module)].some(isModuleOnly)) return module;
  } catch (e) {
    error = e;
  }
  try {
    return attempt("script");
  } catch (e) {
    if (module) return module;
    throw error;
  }
}

const isModuleOnly = (node) =>
  /^(Import|Export\w*)Declaration$/.test(node.type) || (node.type === "MetaProperty" && node.meta.name === "import");

function* nodes(root) {
  const waiting = [root];
  while (waiting.length) {
    const node = waiting.pop();
    yield node;
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (child && typeof child.type === "string") waiting.push(child);
      }
    }
  }
}

const plain = (node) => {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MetaProperty") return `${node.meta.name}.${node.property.name}`;
  if (node.type === "MemberExpression" && !node.computed && !node.optional) {
    return `${plain(node.object)}.${plain(node.property)}`;
  }
  return "?";
};

const literal = (node) => {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0].value.cooked;
  return null;
};

const isEmpty = (node) => literal(node) === "" && node.end - node.start === 2;

// What an empty string is added to, before or behind, is the same string (ECMA-262 section 13.15.3).
const withoutEmpty = (node) => {
  while (node.type === "BinaryExpression" && node.operator === "+" && (isEmpty(node.left) || isEmpty(node.right))) {
    node = isEmpty(node.right) ? node.left : node.right;
  }
  return node;
};

function* references(tree) {
  for (const node of nodes(tree)) {
    const found = (inner, kind) => ({ start: inner.start + 1, end: inner.end - 1, url: literal(inner), kind });
    if (/^(Import|ExportNamed|ExportAll)Declaration$/.test(node.type) && node.source) {
      yield found(node.source, "module");
    } else if (node.type === "ImportExpression" && literal(node.source) !== null) {
      yield found(node.source, "dynamic-import");
    } else if (node.type === "CallExpression" && !node.optional) {
      const name = plain(node.callee);
      if (name === "import.meta.resolve" && literal(node.arguments[0]) !== null) {
        yield found(node.arguments[0], "resolve");
      } else if (/^((self|globalThis)\.)?importScripts$/.test(name)) {
        for (const argument of node.arguments) {
          if (literal(argument) === null) break;
          yield found(argument, "script");
        }
      }
    } else if (node.type === "NewExpression" && /^((self|window|globalThis)\.)?URL$/.test(plain(node.callee))) {
      const [url, base, ...more] = node.arguments;
      if (literal(url) !== null && base && plain(withoutEmpty(base)) === "import.meta.url" && !more.length) {
        yield found(url, "url");
      }
    }
  }
}

function read(path) {
  const bytes = readFileSync(path);
  // A byte order mark is kept, so that offsets are those of the file.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const isUtf8 = Buffer.byteLength(text) === bytes.length;
  const offset = (at) => Buffer.byteLength(text.slice(0, at));
  const answer = { path, isUtf8 };
  try {
    answer.references = [...references(parsed(text))].map((r) => ({ ...r, start: offset(r.start), end: offset(r.end) }));
  } catch (error) {
    answer.error = `${error.message}`;
  }
  return answer;
}

for await (const path of createInterface({ input: process.stdin })) console.log(JSON.stringify(read(path)));
