// The schema in an editor: drives the YAML language server over stdio, as editors do, on the examples.
//
// Usage: node language_server.mjs SERVER REPOSITORY
// where SERVER is the package's executable. Ends with 1 and says why where an editor would not help.

import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const PATIENCE = 20_000; // milliseconds, for one answer

const [server, repository] = [process.argv[2], resolve(process.argv[3])];
const child = spawn(process.execPath, [server, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
const answers = new Map(); // by the id of the request
const published = new Map(); // by address: who waits for diagnostics
let buffer = Buffer.alloc(0);
let last = 0;

child.stdout.on("data", (bytes) => {
  buffer = Buffer.concat([buffer, bytes]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + length) return;
    const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString());
    buffer = buffer.subarray(end + 4 + length);
    receive(message);
  }
});

function send(message) {
  const text = JSON.stringify({ jsonrpc: "2.0", ...message });
  child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

function receive(message) {
  if (message.method === "textDocument/publishDiagnostics") {
    published.get(message.params.uri)?.(message.params.diagnostics);
  } else if (message.method !== undefined && message.id !== undefined) {
    // A request to the editor: one without settings answers nothing.
    const empty = message.method === "workspace/configuration" ? message.params.items.map(() => ({})) : null;
    send({ id: message.id, result: empty });
  } else if (message.id !== undefined) {
    answers.get(message.id)?.(message);
  }
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE / 1000} s: ${what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function request(method, params) {
  const id = ++last;
  const answer = new Promise((done) => answers.set(id, done));
  send({ id, method, params });
  const { result, error } = await within(answer, method);
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

/** Opens a text under an address, and gives what the editor would underline. */
function open(uri, text) {
  const diagnostics = new Promise((done) => published.set(uri, done));
  send({
    method: "textDocument/didOpen",
    params: { textDocument: { uri, languageId: "yaml", version: 1, text } },
  });
  return within(diagnostics, `diagnostics of ${uri}`);
}

/** Opens a document whose cursor stands at `|`. */
async function at(name, marked) {
  const before = marked.slice(0, marked.indexOf("|"));
  const uri = address(`examples/policies/teams/${name}.yaml`);
  await open(uri, marked.replace("|", ""));
  const lines = before.split("\n");
  return { textDocument: { uri }, position: { line: lines.length - 1, character: lines.at(-1).length } };
}

const address = (path) => pathToFileURL(join(repository, path)).href;

function documents(folder) {
  return readdirSync(join(repository, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.name.startsWith(".")) return [];
    return entry.isDirectory() ? documents(path) : /\.ya?ml$/.test(entry.name) ? [path] : [];
  });
}

let checks = 0;
function check(held, what) {
  checks += 1;
  if (!held) throw new Error(what);
}

const MODELINE = "# yaml-language-server: $schema=../../../schemas/seawall.schema.json\n";
const POLICY = `${MODELINE}apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n  - name: r\n`;

async function completes(name, marked, expected) {
  const list = await request("textDocument/completion", await at(name, marked));
  const labels = (list.items ?? list).map((item) => item.label);
  check(expected.every((label) => labels.includes(label)), `${name}: ${expected} are not all among ${labels}`);
}

async function run() {
  const folder = { uri: address("examples/policies"), name: "policies" };
  await request("initialize", {
    processId: process.pid,
    rootUri: folder.uri,
    workspaceFolders: [folder],
    capabilities: {
      textDocument: { completion: { completionItem: { snippetSupport: true } }, hover: { contentFormat: ["markdown"] } },
      workspace: { configuration: true },
    },
  });
  send({ method: "initialized", params: {} });
  const settings = { yaml: { schemaStore: { enable: false }, validate: true, completion: true, hover: true } };
  send({ method: "workspace/didChangeConfiguration", params: { settings } });

  const examples = [...documents("examples/policies"), ...documents("examples/agents")];
  check(examples.length >= 6, `only ${examples.length} examples`);
  for (const path of examples) {
    const found = await open(address(path), readFileSync(join(repository, path), "utf8"));
    check(found.length === 0, `${path}: ${found.map((one) => `${one.range.start.line + 1}: ${one.message}`).join("; ")}`);
  }

  // A misspelt key is underlined, and nothing else.
  const typo = `${POLICY}    decsion: allow\n    decision: allow\n    actions: [connect:tcp]\n    resources: [a.example.com]\n`;
  const found = await open(address("examples/policies/teams/typo.yaml"), typo);
  check(found.length === 1 && found[0].message.includes("decsion"), `a misspelt key gives ${JSON.stringify(found)}`);
  const { start, end } = found[0].range;
  const underlined = typo.split("\n")[start.line].slice(start.character, start.line === end.line ? end.character : undefined);
  check(underlined.startsWith("decsion"), `a misspelt key underlines \`${underlined}\``);
  const wrong = await open(address("examples/policies/teams/wrong.yaml"), typo.replace("decsion: allow\n    ", "").replace("decision: allow", "decision: maybe"));
  check(wrong.length === 1 && wrong[0].range.start.line === 6, `a wrong value gives ${JSON.stringify(wrong)}`);

  await completes("kinds", `${MODELINE}apiVersion: seawall/v1\nkind: |\n`, ["NetworkPolicy", "McpPolicy", "AccessTest"]);
  await completes("keys", `${POLICY}    decision: allow\n    |\n`, ["actions", "resources", "http_resources"]);
  await completes("values", `${POLICY}    decision: |\n`, ["allow", "deny"]);
  await completes("actions", `${POLICY}    decision: allow\n    actions: [|]\n`, ["connect:tcp", "request:get"]);

  // Of several documents in a file, each is helped with by itself, and names its schema itself.
  const first = `${POLICY}    decision: allow\n    actions: [connect:tcp]\n    resources: [a.example.com]\n---\n`;
  const test = `${MODELINE}apiVersion: seawall/v1\nkind: AccessTest\nname: t\nexpect:\n`;
  const several = await open(address("examples/policies/teams/several.yaml"), `${first}${test}  - allow: read /data\n---\n${test.replace("expect", "expcet")}  - deny: read /x\n`);
  const lines = several.map((one) => one.range.start.line);
  check(lines.length > 0 && lines.every((line) => line >= 17), `a misspelt key in the third document gives ${JSON.stringify(several)}`);
  await completes("second", `${first}${test}  - |\n`, ["allow", "deny"]);
  const beside = await request("textDocument/hover", await at("beside", `${first}${test.replace("exp", "exp|")}  - allow: read /data\n`));
  check(beside && !/that are allowed or denied/.test(JSON.stringify(beside)), `hovering over \`expect\` says ${JSON.stringify(beside)}`);

  const hover = await request("textDocument/hover", await at("hover", `${POLICY}    decision: allow\n    act|ions: [connect:tcp]\n    resources: [a]\n`));
  check(/that are allowed or denied/.test(JSON.stringify(hover)), `hovering over \`actions\` says ${JSON.stringify(hover)}`);
  console.log(`language server: ${examples.length} examples, ${checks} checks hold`);
}

run().then(
  () => child.kill(),
  (error) => {
    console.error(`language server: ${error.message}`);
    child.kill();
    process.exitCode = 1;
  },
);
