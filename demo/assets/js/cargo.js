import { cell } from "./table.js";

/** Fill `table` with a row for each static file of this page: its name and what its answer said. */
export async function show(table) {
  const files = new Set(performance.getEntriesByType("resource").map((entry) => entry.name));
  const rows = [...files].sort().filter((name) => new URL(name).pathname.startsWith("/static/"));
  const head = document.createElement("tr");
  head.append(...["File", "Coding", "Cache-Control"].map((text) => cell("th", text)));
  const body = await Promise.all(rows.map(row));
  table.replaceChildren(head, ...body);
}

async function row(address) {
  const answer = await fetch(address, { method: "HEAD" });
  const line = document.createElement("tr");
  line.append(
    cell("td", new URL(address).pathname.replace("/static/", "")),
    cell("td", answer.headers.get("Content-Encoding") ?? "as it is"),
    cell("td", answer.headers.get("Cache-Control") ?? "none"),
  );
  return line;
}
