// What it takes to fork a state, and to keep it in a file and come back to it: docs/state_file.md.
//
//   state_bench MODEL TEXT [TOKENS [STATE_DTYPE]]
//
// MODEL is a checkpoint's directory, or SHAPE:DTYPE for random weights of a published shape, as in 7b:int4. Reads
// TOKENS ids of the text (1,000 if not given), then saves and restores the session, plain and compressed. Saving ends
// with fsync; what is restored lies in the page cache, and the model's hash is known. Medians and bests of five.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/engine/engine.h"
#include "xlstm/engine/statistics.h"

namespace {

using xlstm::engine::Engine;
using xlstm::engine::Session;

std::unique_ptr<Engine> load(const std::string& model, const std::string& state_dtype) {
  xlstm::engine::LoadOptions options;
  options.state_dtype = xlstm::dtype_from_name(state_dtype);
  const std::size_t colon = model.find(':');
  if (colon != model.npos) {
    return Engine::synthetic(model.substr(0, colon), xlstm::model::synthetic_format(model.substr(colon + 1)), 1,
                             options);
  }
  options.model = model;
  return Engine::load(options);
}

std::vector<xlstm::TokenId> read_tokens(const Engine& engine, const char* path, std::size_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file) xlstm::fail(xlstm::ErrorCode::not_found, path, "expected a readable file");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<xlstm::TokenId> tokens = engine.encode(text, true);
  if (tokens.size() < count) {
    xlstm::fail(xlstm::ErrorCode::invalid_argument, path, "expected ", count, " tokens but got ", tokens.size());
  }
  tokens.resize(count);
  return tokens;
}

struct Times {
  double median = 0, best = 0;
};

template <class F>
Times measure(F&& f) {
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return {xlstm::engine::median(seconds), xlstm::engine::smallest(seconds)};
}

/// A fork, and what the first token after it costs more than the next one: the copy.
void run_fork(Engine& engine, const Session& session) {
  constexpr int kForks = 1000;
  std::vector<Session> forks;
  forks.reserve(5 * kForks);
  const Times fork = measure([&] {
    for (int i = 0; i < kForks; ++i) forks.push_back(session.fork());
  });
  forks.clear();
  std::vector<double> copies;
  for (int i = 0; i < 5; ++i) {
    Session written = session.fork();
    const Times step = measure([&] { engine.step(written, 1); });
    const auto start = std::chrono::steady_clock::now();
    Session again = session.fork();
    engine.step(again, 1);
    copies.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() - step.best);
  }
  std::printf("a fork takes %.3f us, the copy when it is written %.2f ms\n", 1e6 * fork.median / kForks,
              1e3 * xlstm::engine::median(copies));
}

void run(const std::string& model, const char* text, std::size_t count, const std::string& state_dtype) {
  const std::unique_ptr<Engine> engine = load(model, state_dtype);
  Session session = engine->new_session();
  engine->prefill(session, read_tokens(*engine, text, count));
  engine->model_hash();
  std::printf("%s: a state of %.1f MiB (%s) after %zu tokens\n", engine->source().c_str(),
              static_cast<double>(engine->state_nbytes()) / (1 << 20), state_dtype.c_str(), session.ids().size());
  run_fork(*engine, session);
  std::printf("%-10s %12s %18s %18s\n", "", "MiB", "save, s (best)", "restore, s (best)");
  const std::filesystem::path file = "state_bench.xst";
  for (const int level : {0, 1, 2, 3, 6, 9, 12}) {
    const xlstm::state::SaveOptions options =
        level == 0 ? xlstm::state::SaveOptions{} : xlstm::state::SaveOptions{level};
    const Times save = measure([&] { engine->save(session, file, options); });
    const Times restore = measure([&] { engine->restore(file); });
    const std::string name = level == 0 ? "plain" : "zstd " + std::to_string(level);
    std::printf("%-10s %12.3f %10.4f (%.4f) %9.4f (%.4f)\n", name.c_str(),
                static_cast<double>(std::filesystem::file_size(file)) / (1 << 20), save.median, save.best,
                restore.median, restore.best);
  }
  std::filesystem::remove(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    std::fprintf(stderr, "usage: state_bench MODEL TEXT [TOKENS [STATE_DTYPE]]\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1000, argc > 4 ? argv[4] : "float32");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "state_bench: error: %s\n", error.what());
    return 1;
  }
}
