// What token masks cost: follows a generated document token by token and times every mask.
//
//   mask_bench TOKENIZER.json
//
// One line a grammar: the time to compile it, to bring it together with the vocabulary, to warm up all masks; then,
// over the tokens of its document, median, p99 and worst of fill_mask without warm-up (one run), after it, and of
// accept (at each place the best of three runs: what the machine does besides is not the question). One thread.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/grammar/record_schema.h"
#include "xlstm/text/grammar/compile.h"
#include "xlstm/text/grammar/matcher.h"
#include "xlstm/text/grammar/token_bits.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace {

using namespace xlstm::text::grammar;
using Json = nlohmann::ordered_json;

struct Case {
  const char* name;
  std::function<CompiledGrammar()> compile;
  std::string document;
};

template <class Work>
double microseconds_of(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

// Of this thread alone, for what can be run only once. Reading this clock takes some tenths of a microsecond.
template <class Work>
double cpu_microseconds_of(Work&& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
  };
  const double begin = now();
  work();
  return now() - begin;
}

std::string order_statistics(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  char text[96];
  std::snprintf(text, sizeof text, "median %7.2f  p99 %8.2f  worst %8.2f us", times[times.size() / 2],
                times[times.size() * 99 / 100], times.back());
  return text;
}

// Records as a model would write them, 24 of each kind of value.
Json records(int count) {
  Json list = Json::array();
  for (int i = 0; i < count; ++i) {
    list.push_back({{"id", 1000 + 37 * i},
                    {"name", "The quick brown fox no. " + std::to_string(i)},
                    {"email", "fox" + std::to_string(i) + "@example.org"},
                    {"score", 0.25 * i},
                    {"active", i % 2 == 0},
                    {"tags", {"swift", "na\u00efve \u72d0", "say \"hello\"\n"}},
                    {"address", {{"street", "12 Main Street"}, {"city", "Z\u00fcrich"}, {"zip", "8001"}}}});
  }
  return {{"records", list}};
}

const char* const kRegex = R"(([A-Z][a-z]{1,20} (\d{1,3} )?(Street|Avenue|Road), (N|S|E|W)\d{4,6}; [^;\n]{0,200};\n)+)";
const char* const kGbnf = R"gbnf(
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] ws term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ("." [0-9]+)? ws
ws    ::= [ \t]{0,4}
)gbnf";

std::string repeated(const std::string& line, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line;
  return text;
}

std::vector<Case> cases() {
  const Json document = records(40);
  return {
      {"json mode", [] { return compile_json(); }, document.dump(2)},
      {"json schema", [] { return compile_json_schema(kSchema); }, document.dump(2)},
      {"json schema, compact", [] { return compile_json_schema(kSchema, {.whitespace = Whitespace::compact}); },
       document.dump()},
      {"regex", [] { return compile_regex(kRegex); },
       repeated("Baker 221 Street, N12345; the residence of a consulting detective, na\u00efve he is not;\n", 40)},
      {"gbnf", [] { return compile_gbnf(kGbnf); }, repeated("(alpha_1 + 3.25) * (beta-7)/gamma= 12.5\n", 60)},
  };
}

void report(const Case& test, const xlstm::tokenizer::Tokenizer& tokenizer,
            std::shared_ptr<const Vocabulary> vocabulary) {
  CompiledGrammar grammar;
  std::shared_ptr<TokenMasks> masks;
  const double compile_us = cpu_microseconds_of([&] { grammar = test.compile(); });
  const double join_us = cpu_microseconds_of([&] { masks = std::make_shared<TokenMasks>(grammar, vocabulary); });
  std::vector<std::uint32_t> bits(vocabulary->num_mask_words());
  const std::vector<xlstm::TokenId> ids = tokenizer.encode(test.document);

  struct Times {
    std::vector<double> cold, fill, apply, accept;
  } times;
  std::vector<float> logits(vocabulary->size());
  for (auto* list : {&times.cold, &times.fill, &times.apply, &times.accept}) list->resize(ids.size(), 1e9);
  GrammarMatcher first(masks);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    times.cold[i] = cpu_microseconds_of([&] { first.fill_mask(bits); });
    first.accept(ids[i]);
  }
  if (!first.can_end()) throw std::runtime_error("the document does not match");
  const double warm_up_us = cpu_microseconds_of([&] { masks->warm_up(); });
  for (int run = 0; run < 3; ++run) {
    GrammarMatcher matcher(masks);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::fill(logits.begin(), logits.end(), 0.0f);
      times.fill[i] = std::min(times.fill[i], microseconds_of([&] { matcher.fill_mask(bits); }));
      times.apply[i] = std::min(times.apply[i], microseconds_of([&] { apply_mask(logits, bits); }));
      times.accept[i] = std::min(times.accept[i], microseconds_of([&] { matcher.accept(ids[i]); }));
    }
  }
  std::printf("%s: %zu states, %zu masks, %zu tokens\n", test.name, grammar->num_states(), masks->num_masks(),
              ids.size());
  std::printf("  compile %.2f ms, with vocabulary %.2f ms, warm-up %.2f ms\n", compile_us / 1e3, join_us / 1e3,
              warm_up_us / 1e3);
  std::printf("  fill_mask, warm  %s\n", order_statistics(times.fill).c_str());
  std::printf("  fill_mask, cold  %s\n", order_statistics(times.cold).c_str());
  std::printf("  apply_mask       %s\n", order_statistics(times.apply).c_str());
  std::printf("  accept           %s\n", order_statistics(times.accept).c_str());
}

void run(const char* path) {
  const auto tokenizer = xlstm::tokenizer::load_tokenizer(path);
  std::vector<std::string_view> tokens(tokenizer->vocab_size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<xlstm::TokenId>(i);
    if (!tokenizer->is_special(id)) tokens[i] = tokenizer->token_bytes(id);
  }
  std::shared_ptr<const Vocabulary> vocabulary;
  const double us = microseconds_of([&] { vocabulary = std::make_shared<const Vocabulary>(tokens); });
  std::printf("%s: %zu tokens, vocabulary made in %.1f ms\n", path, tokens.size(), us / 1e3);
  for (const Case& test : cases()) report(test, *tokenizer, vocabulary);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: mask_bench TOKENIZER.json\n";
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 3;
  }
  return 0;
}
