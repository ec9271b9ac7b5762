// The server's HTTP API, as far as the page uses it.

/** What the server refuses, in its own words. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Api {
  /** askForKey: called after a 401; a promise of a key, or of null. */
  constructor(askForKey) {
    this.askForKey = askForKey;
    this.key = sessionStorage.getItem("key");
  }

  async fetch(path, options = {}) {
    for (;;) {
      const headers = { ...options.headers };
      if (this.key) headers.Authorization = `Bearer ${this.key}`;
      const response = await fetch(path, { ...options, headers });
      if (response.ok) return response;
      if (response.status === 401) {
        const key = await this.askForKey();
        if (key) {
          this.key = key;
          sessionStorage.setItem("key", key);
          continue;
        }
      }
      throw new ApiError(response.status, await messageOf(response));
    }
  }

  async json(path, options) { return (await this.fetch(path, options)).json(); }

  post(path, body, signal) {
    return this.fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
    });
  }

  /** The data of each event of a streamed answer, and its comments as {comment}. */
  async *events(path, body, signal) {
    const response = await this.post(path, { ...body, stream: true }, signal);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        for (const line of event.split("\n")) {
          if (line.startsWith(":")) yield { comment: line.slice(1).trim() };
          if (!line.startsWith("data:")) continue;
          const data = line.slice(5).trim();
          if (data === "[DONE]") return;
          const json = JSON.parse(data);
          if (json.error) throw new ApiError(200, json.error.message);
          yield json;
        }
      }
    }
  }
}

async function messageOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}
