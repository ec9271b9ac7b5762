// The chat page: what a user does becomes requests and branches of the conversation.

import { Api } from "./api.js";
import { Conversation } from "./conversation.js";
import { Settings } from "./settings.js";
import { TreeView } from "./tree_view.js";

const $ = (id) => document.getElementById(id);
const api = new Api(askForKey);
const settings = new Settings($("settings"));
const tree = new TreeView($("tree"), (id) => { conversation.show(id); draw(); });
let conversation = new Conversation();
let model = { id: "", hasTemplate: false };
let running = null; // {controller, node} while an answer comes
let edited = null; // id of the message that the composer replaces

// ---- what is shown

function draw() {
  tree.draw(conversation);
  $("log").replaceChildren(...conversation.path().map(article));
  $("log").scrollTop = $("log").scrollHeight;
  $("stop").disabled = running === null;
  $("send").disabled = running !== null;
  $("save").disabled = running !== null || stateToSave() === null;
  $("editing").hidden = edited === null;
}

function article(node) {
  const made = document.createElement("article");
  made.className = node.role;
  made.dataset.id = node.id;
  const heading = document.createElement("h3");
  heading.textContent = node.role === "user" ? "You" : "xLSTM";
  const text = document.createElement("div");
  text.className = "text";
  text.textContent = node.text;
  const row = document.createElement("div");
  row.className = "row";
  const button = (name, action) => {
    const one = document.createElement("button");
    one.type = "button";
    one.textContent = name;
    one.disabled = running !== null;
    one.addEventListener("click", action);
    row.append(one);
  };
  if (node.role === "user") button("Edit", () => edit(node));
  if (node.role === "assistant") {
    button("Retry", () => answer(node.parent));
    button("Fork from here", () => fork(node));
  }
  made.append(heading, text, row);
  return made;
}

function say(text) { $("status").textContent = text; }

function complain(error) {
  $("problem").textContent = error.message;
  $("problem").hidden = false;
}

// ---- what a user does

async function send(text) {
  const parent = edited === null ? conversation.leaf : conversation.node(edited).parent;
  edited = null;
  await answer(conversation.add(parent, "user", text).id);
}

function edit(node) {
  edited = node.id;
  $("composer-text").value = node.text;
  draw();
  $("composer-text").focus();
}

function fork(node) {
  conversation.forkAt(node.id);
  draw();
  say("The next message begins a branch here.");
  $("composer-text").focus();
}

/** Lets the model answer message `parent` as a new branch. */
async function answer(parent) {
  $("problem").hidden = true;
  try {
    settings.check();
  } catch (error) {
    $("settings-panel").hidden = false;
    return complain(error);
  }
  const node = conversation.add(parent, "assistant", "");
  running = { controller: new AbortController(), node };
  draw();
  say("Reading …");
  const text = $("log").querySelector(`[data-id="${node.id}"] .text`);
  const started = performance.now();
  let first = null, tokens = 0;
  try {
    for await (const event of api.events(...request(parent), running.controller.signal)) {
      if (event.comment?.startsWith("prefill")) say(`Reading: ${event.comment.slice(8)} tokens`);
      if (event.usage) tokens = event.usage.completion_tokens;
      if (event.choices?.[0]?.state_id) node.state = event.choices[0].state_id;
      const choice = event.choices?.[0];
      const piece = choice?.delta?.content ?? choice?.text ?? "";
      if (piece === "") continue;
      first ??= performance.now();
      tokens += 1;
      node.text += piece;
      text.textContent = node.text;
      $("log").scrollTop = $("log").scrollHeight;
      const seconds = (performance.now() - first) / 1000;
      if (seconds > 0.2) $("speed").textContent = `${(tokens / seconds).toFixed(0)} tokens a second`;
    }
    const wait = first === null ? "" : ` First token after ${(first - started).toFixed(0)} ms.`;
    say(`Answered with ${tokens} tokens.${wait}`);
  } catch (error) {
    if (error.name === "AbortError") {
      say("Stopped.");
    } else {
      complain(error);
      say("The answer failed.");
    }
  }
  running = null;
  draw();
  $("composer-text").focus();
}

/** Path and body of the request that answers message `parent`. */
function request(parent) {
  const path = conversation.path(parent);
  const body = { model: model.id, ...settings.request(), return_state: true, stream_options: { include_usage: true } };
  if (conversation.root.state !== null) body.state = conversation.root.state;
  if (!model.hasTemplate) {
    const before = settings.system === "" || body.state ? "" : settings.system + "\n";
    return ["/v1/completions", { ...body, prompt: before + path.map((node) => node.text + "\n").join("") }];
  }
  const messages = path.map((node) => ({ role: node.role, content: node.text }));
  if (settings.system !== "" && !body.state) messages.unshift({ role: "system", content: settings.system });
  return ["/v1/chat/completions", { ...body, messages }];
}

// ---- states as files

function stateToSave() {
  const node = conversation.node(conversation.leaf);
  return node.state;
}

async function save() {
  const response = await api.fetch(`/v1/states/${stateToSave()}/export`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = "conversation.xst";
  link.click();
  URL.revokeObjectURL(link.href);
  say("State saved.");
}

async function load(file) {
  const made = await api.json("/v1/states/import", {
    method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file,
  });
  conversation = new Conversation(made.id, `${file.name}: ${made.tokens} tokens read`);
  edited = null;
  draw();
  say(`State loaded: it has read ${made.tokens} tokens.`);
}

// ---- the page

function askForKey() {
  return new Promise((resolve) => {
    const dialog = $("key-dialog");
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? $("key").value : null), { once: true });
    dialog.showModal();
  });
}

function togglePanel(button, panel) {
  panel.hidden = !panel.hidden;
  button.setAttribute("aria-expanded", String(!panel.hidden));
}

function setTheme(theme) {
  const said = { "": "as the system", light: "light", dark: "dark" }[theme];
  if (theme === "") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").setAttribute("aria-label", `Colour theme: ${said}`);
  localStorage.setItem("theme", theme);
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB"];
  const unit = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), units.length - 1);
  return `${(count / 2 ** (10 * unit)).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

async function showMemory() {
  if (document.hidden) return;
  try {
    const props = await api.json("/props");
    $("memory").textContent = `States ${bytes(props.used_state_bytes)} of ${bytes(props.max_state_bytes)}`;
  } catch {
    $("memory").textContent = "";
  }
}

/** Runs `action`, and shows what it throws. */
function guarded(action) {
  return async (event) => {
    $("problem").hidden = true;
    try {
      await action(event);
    } catch (error) {
      complain(error);
    }
  };
}

$("composer").addEventListener("submit", guarded(async (event) => {
  event.preventDefault();
  const text = $("composer-text").value;
  if (running !== null || text.trim() === "") return;
  $("composer-text").value = "";
  await send(text);
}));
$("composer-text").addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running !== null) $("stop").click();
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("stop").addEventListener("click", () => running?.controller.abort());
$("cancel-edit").addEventListener("click", () => {
  edited = null;
  $("composer-text").value = "";
  draw();
});
$("new").addEventListener("click", () => {
  running?.controller.abort();
  conversation = new Conversation();
  edited = null;
  draw();
  say("A new conversation.");
});
$("save").addEventListener("click", guarded(save));
$("load").addEventListener("click", () => $("load-file").click());
$("load-file").addEventListener("change", guarded(async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) await load(file);
}));
$("toggle-tree").addEventListener("click", () => togglePanel($("toggle-tree"), $("tree-panel")));
$("toggle-settings").addEventListener("click", () => togglePanel($("toggle-settings"), $("settings-panel")));
$("theme").addEventListener("click", () => {
  setTheme({ "": "dark", dark: "light", light: "" }[document.documentElement.dataset.theme ?? ""]);
});

setTheme(localStorage.getItem("theme") ?? "");
draw();
guarded(async () => {
  const [models, props] = [await api.json("/v1/models"), await api.json("/props")];
  model = { id: models.data[0].id, hasTemplate: props.chat_template };
  $("model").textContent = model.id + (model.hasTemplate ? "" : " (continues what is typed)");
  await showMemory();
  setInterval(showMemory, 2000);
})();
$("composer-text").focus();
