// How far a bfloat16 state drifts from a float32 one while a model reads a long text: docs/state_dtype.md.
//
//   state_drift TEXT [TOKENS [MODEL]]
//
// Reads the same TOKENS ids (100,000 if not given; a shorter text is repeated) from fresh states: decoded one by one in
// a float32 state, which is the reference, and three other ways. float32 in prefill segments shows what another order
// of the sums does. Without MODEL, a checkpoint's directory, the embedded model reads. Tables go to standard output.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/engine/engine.h"

namespace {

using xlstm::TokenId;
using xlstm::engine::Engine;

std::unique_ptr<Engine> load(const std::string& model, xlstm::DType state_dtype) {
  xlstm::engine::LoadOptions options;
  options.model = model;
  options.state_dtype = state_dtype;
  return Engine::load(options);
}

/// One way to read the text.
class Reader {
 public:
  Reader(std::string name, Engine& engine, bool by_steps)
      : name_(std::move(name)), engine_(engine), by_steps_(by_steps), session_(engine.new_session()) {}

  const std::string& name() const { return name_; }
  /// Logits [T, V] of the next tokens.
  std::vector<float> read(std::span<const TokenId> tokens) {
    if (!by_steps_) return engine_.all_logits(session_, tokens);
    std::vector<float> all;
    for (const TokenId token : tokens) {
      const std::vector<float> logits = engine_.step(session_, token);
      all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
  }
  /// C of every mLSTM layer.
  std::vector<std::vector<float>> matrix_memories() const {
    std::vector<xlstm::engine::StateTensorValue> tensors = engine_.state_tensors(session_);
    std::vector<std::vector<float>> layers;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (engine_.model().state_spec.tensors[i].is_matrix_memory) layers.push_back(std::move(tensors[i].values));
    }
    return layers;
  }

 private:
  std::string name_;
  Engine& engine_;
  bool by_steps_;
  xlstm::engine::Session session_;
};

std::vector<double> log_softmax(std::span<const float> logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - max);
  std::vector<double> result(logits.begin(), logits.end());
  for (double& value : result) value -= max + std::log(sum);
  return result;
}

std::size_t argmax(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

/// What a reader says between two marks, beside the reference.
struct Drift {
  double positions = 0, kl = 0, largest_kl = 0, other_choice = 0, nll = 0;  // sums, but for the largest

  void add(const std::vector<double>& expected, const std::vector<double>& found, TokenId next) {
    double divergence = 0;  // of `found` from `expected`
    for (std::size_t i = 0; i < expected.size(); ++i) divergence += std::exp(expected[i]) * (expected[i] - found[i]);
    if (!std::isfinite(divergence)) xlstm::fail(xlstm::ErrorCode::internal, "state_drift", "a logit is not finite");
    positions += 1;
    kl += divergence;
    largest_kl = std::max(largest_kl, divergence);
    other_choice += argmax(expected) == argmax(found) ? 0 : 1;
    nll += expected[static_cast<std::size_t>(next)] - found[static_cast<std::size_t>(next)];
  }
};

/// |found - expected| / |expected| (Frobenius) of each layer, ascending.
std::vector<double> relative_errors(const std::vector<std::vector<float>>& expected,
                                    const std::vector<std::vector<float>>& found) {
  std::vector<double> errors;
  for (std::size_t layer = 0; layer < expected.size(); ++layer) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < expected[layer].size(); ++i) {
      const double e = expected[layer][i], d = found[layer][i] - e;
      difference += d * d;
      size += e * e;
    }
    errors.push_back(std::sqrt(difference / size));
  }
  std::sort(errors.begin(), errors.end());
  return errors;
}

std::string row(std::size_t mark, const Drift& drift, const std::vector<double>& errors) {
  char text[160];
  std::snprintf(text, sizeof text, "| %zu | %.1e | %.1e | %.1e | %.1e | %.2f %% | %+.5f |\n", mark,
                errors[errors.size() / 2], errors.back(), drift.kl / drift.positions, drift.largest_kl,
                100 * drift.other_choice / drift.positions, drift.nll / drift.positions);
  return text;
}

/// `count` ids of the text, which is repeated as often as that takes, and one more: the last prediction's.
std::vector<TokenId> read_tokens(const Engine& engine, const char* path, std::size_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file) xlstm::fail(xlstm::ErrorCode::not_found, path, "expected a readable file");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::vector<TokenId> once = engine.encode(text, true);
  if (once.empty()) xlstm::fail(xlstm::ErrorCode::invalid_argument, path, "expected a text but got none");
  std::cout << count << " tokens of " << path << ", " << once.size() << " ids long; model " << engine.source() << "\n";
  std::vector<TokenId> tokens;
  while (tokens.size() <= count) tokens.push_back(once[tokens.size() % once.size()]);
  return tokens;
}

void run(const char* path, std::size_t count, const std::string& model) {
  const auto wide = load(model, xlstm::DType::float32), narrow = load(model, xlstm::DType::bfloat16);
  const std::vector<TokenId> tokens = read_tokens(*wide, path, count);
  Reader reference("float32, decoded", *wide, true);
  std::vector<Reader> readers;
  readers.emplace_back("bfloat16, decoded", *narrow, true);
  readers.emplace_back("bfloat16, in prefill segments", *narrow, false);
  readers.emplace_back("float32, in prefill segments", *wide, false);
  std::vector<Drift> drifts(readers.size());
  std::vector<std::string> tables(readers.size());

  const std::size_t vocab = static_cast<std::size_t>(wide->model().config.vocab_size);
  const std::size_t segment = wide->backend().prefill_segment();
  std::size_t mark = std::min<std::size_t>(10, count);
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    end = std::min(mark, (begin / segment + 1) * segment);
    const auto piece = std::span(tokens).subspan(begin, end - begin);
    const std::vector<float> logits = reference.read(piece);
    std::vector<std::vector<float>> others;
    for (Reader& reader : readers) others.push_back(reader.read(piece));
    for (std::size_t t = 0; t < piece.size(); ++t) {
      const std::vector<double> expected = log_softmax(std::span(logits).subspan(t * vocab, vocab));
      for (std::size_t r = 0; r < readers.size(); ++r) {
        drifts[r].add(expected, log_softmax(std::span(others[r]).subspan(t * vocab, vocab)), tokens[begin + t + 1]);
      }
    }
    if (end != mark) continue;
    std::cerr << end << " of " << count << " tokens\n";
    const auto expected = reference.matrix_memories();
    for (std::size_t r = 0; r < readers.size(); ++r) {
      tables[r] += row(mark, drifts[r], relative_errors(expected, readers[r].matrix_memories()));
      drifts[r] = {};
    }
    mark = std::min(mark * 10, count);
  }
  for (std::size_t r = 0; r < readers.size(); ++r) {
    std::cout << "\n"
              << readers[r].name() << " beside " << reference.name() << "\n\n"
              << "| up to position | C, median layer | C, worst layer | KL, mean | KL, largest | other choice | NLL |\n"
              << "| --- | --- | --- | --- | --- | --- | --- |\n"
              << tables[r];
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long count = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 100'000;
  if (argc < 2 || argc > 4 || count < 1) {
    std::cerr << "usage: state_drift TEXT [TOKENS [MODEL]]\n";
    return 2;
  }
  try {
    run(argv[1], static_cast<std::size_t>(count), argc > 3 ? argv[3] : "");
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 3;
  }
  return 0;
}
