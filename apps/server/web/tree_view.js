// The tree of branches: a WAI-ARIA tree, one tab stop, arrows move within it.

export class TreeView {
  /** onShow(id): Enter, space or a click. */
  constructor(list, onShow) {
    this.list = list;
    this.onShow = onShow;
    list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) this.onShow(Number(item.dataset.id));
    });
    list.addEventListener("keydown", (event) => this.onKey(event));
  }

  draw(conversation) {
    const hadFocus = this.list.contains(document.activeElement);
    const branch = new Set([0, ...conversation.path().map((node) => node.id)]);
    this.list.replaceChildren(this.item(conversation, 0, 1, branch));
    if (hadFocus) this.list.querySelector("[tabindex='0']").focus();
  }

  item(conversation, id, level, branch) {
    const node = conversation.node(id);
    const item = document.createElement("li");
    const isLeaf = conversation.leaf === id;
    item.dataset.id = id;
    item.tabIndex = isLeaf ? 0 : -1;
    item.setAttribute("role", "treeitem");
    item.setAttribute("aria-level", level);
    item.setAttribute("aria-selected", isLeaf);
    item.classList.toggle("on-branch", branch.has(id));
    const label = document.createElement("div");
    label.className = "node";
    const who = { user: "You: ", assistant: "xLSTM: ", root: "" }[node.role];
    label.textContent = who + (node.text.trim().split("\n")[0].slice(0, 60) || "…");
    item.append(label);
    item.setAttribute("aria-label", label.textContent);
    if (node.children.length === 0) return item;
    item.setAttribute("aria-expanded", "true");
    // A chain stays on one level: only where branches part the tree gets deeper.
    const group = document.createElement("ul");
    group.setAttribute("role", "group");
    for (const child of node.children) group.append(this.item(conversation, child, level + 1, branch));
    item.append(group);
    if (node.children.length === 1) group.classList.add("chain");
    return item;
  }

  onKey(event) {
    const items = [...this.list.querySelectorAll("li")];
    const at = items.indexOf(document.activeElement);
    if (at < 0) return;
    const move = {
      ArrowDown: () => items[at + 1], ArrowUp: () => items[at - 1], Home: () => items[0], End: () => items.at(-1),
      ArrowLeft: () => items[at].parentElement.closest("li"), ArrowRight: () => items[at].querySelector("li"),
    }[event.key];
    if (move) {
      event.preventDefault();
      const to = move();
      if (!to) return;
      for (const item of items) item.tabIndex = -1;
      to.tabIndex = 0;
      to.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.onShow(Number(items[at].dataset.id));
    }
  }
}
