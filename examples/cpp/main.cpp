// Load a model, prefill a prompt, step greedily, and keep the state: in memory (fork) and in a file (save, restore).
// Usage: example [MODEL_DIRECTORY]. Without one, the model embedded in the library is used.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/engine/engine.h"

namespace {

using xlstm::TokenId;
using xlstm::engine::Engine;
using xlstm::engine::Session;

TokenId most_likely(const std::vector<float>& logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Feeds `token`, then the most likely id each time. Returns the text of everything it fed.
std::string continue_greedily(Engine& engine, Session& session, TokenId token, int count) {
  xlstm::tokenizer::StreamingDetokenizer detokenizer(engine.tokenizer());
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += detokenizer.push(token);
    token = most_likely(engine.step(session, token));
  }
  return text + detokenizer.finish();
}

void run(const std::filesystem::path& model) {
  xlstm::engine::LoadOptions options;
  options.model = model;
  const auto engine = Engine::load(options);
  const std::string prompt = "In the beginning God";

  // The prompt is read once. What the model remembers of it has a fixed size, whatever its length.
  Session session = engine->new_session();
  const TokenId next = most_likely(engine->prefill(session, engine->encode(prompt, true)));

  // A fork is a copy that goes its own way; a file outlives the process and is refused by any other model.
  Session fork = session.fork();
  const std::filesystem::path path = "example-state.safetensors";
  engine->save(session, path);
  Session restored = engine->restore(path);
  std::filesystem::remove(path);

  const std::string text = continue_greedily(*engine, session, next, 32);
  std::cout << prompt << text << '\n';
  std::cout << "tokens read: " << session.ids().size() << '\n';
  std::cout << "fork agrees: " << (continue_greedily(*engine, fork, next, 32) == text ? "yes" : "no") << '\n';
  std::cout << "file agrees: " << (continue_greedily(*engine, restored, next, 32) == text ? "yes" : "no") << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "");
  } catch (const xlstm::Error& error) {
    std::cerr << "example: " << error.what() << '\n';
    return 1;
  }
}
