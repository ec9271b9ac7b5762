// A conversation as a tree of messages. Each goes on from its parent; a branch is the way from the root to a leaf.

export class Conversation {
  constructor(state = null, label = "Beginning") {
    this.nodes = [{ id: 0, parent: null, role: "root", text: label, children: [], state }];
    this.leaf = 0; // where the next message goes
  }

  get root() { return this.nodes[0]; }
  node(id) { return this.nodes[id]; }

  /** A new message behind `parent`; it becomes the leaf. */
  add(parent, role, text) {
    const node = { id: this.nodes.length, parent, role, text, children: [], state: null };
    this.nodes.push(node);
    this.nodes[parent].children.push(node.id);
    this.leaf = node.id;
    return node;
  }

  /** Messages from the first to `id`, the root left out. */
  path(id = this.leaf) {
    const found = [];
    for (let node = this.nodes[id]; node.parent !== null; node = this.nodes[node.parent]) found.unshift(node);
    return found;
  }

  /** Shows the branch through `id`: down to its newest leaf. */
  show(id) {
    let node = this.nodes[id];
    while (node.children.length > 0) node = this.nodes[node.children.at(-1)];
    this.leaf = node.id;
  }

  /** Goes on from `id` itself, whatever was said after it: the next message begins a branch there. */
  forkAt(id) { this.leaf = id; }
}
