// xlstm embed: texts in, vectors out.
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/exit_codes.h"
#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/embed.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  ModelFlags model;
  std::string input;  // empty: --text
  std::optional<std::string> text;
  std::string pooling = "mean";
  bool normalize = false;
};

class Embed {
 public:
  Embed(engine::Engine& engine, const Options& options)
      : engine_(engine),
        options_{options.pooling == "last" ? engine::Pooling::last : engine::Pooling::mean, options.normalize} {}

  void write(const std::vector<TokenId>& ids, const Json& id) {
    generation::Callbacks callbacks;
    callbacks.cancel = interrupt_.flag();
    const std::vector<float> embedding = engine::embed(engine_, ids, options_, callbacks);
    Json line = {{"index", index_++}};
    if (!id.is_null()) line["id"] = id;
    line["tokens"] = ids.size();
    line["embedding"] = embedding;
    print(line.dump() + "\n");
    flush_output();
  }
  void write_line(const std::string& text, std::size_t number) {
    const std::string where = "line " + std::to_string(number);
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    const bool has_text = line.is_object() && line.contains("text") && line["text"].is_string();
    const bool has_ids = line.is_object() && line.contains("ids") && line["ids"].is_array();
    if (has_text == has_ids) {
      fail(ErrorCode::invalid_argument, where, "expected a JSON object with one of \"text\" and \"ids\"");
    }
    for (const auto& [key, value] : line.items()) {
      if (key == "text" || key == "ids" || key == "id") continue;
      fail(ErrorCode::invalid_argument, where, "expected text, ids and id but got \"", key, "\"");
    }
    write(has_text ? engine_.encode(line["text"].get<std::string>(), /*with_bos=*/true) : read_ids(line["ids"], where),
          line.value("id", Json()));
  }

 private:
  static std::vector<TokenId> read_ids(const Json& list, const std::string& where) {
    std::vector<TokenId> ids;
    for (const Json& item : list) {
      const bool fits = item.is_number_unsigned() && item.get<std::uint64_t>() <= 0x7fffffff;
      if (!fits) fail(ErrorCode::invalid_argument, where, "expected ids but got ", item.dump());
      ids.push_back(item.get<TokenId>());
    }
    return ids;
  }

  engine::Engine& engine_;
  engine::EmbedOptions options_;
  std::size_t index_ = 0;
  const InterruptScope interrupt_;
};

int run(const Options& options) {
  if (options.text.has_value() == !options.input.empty()) {
    fail(ErrorCode::invalid_argument, "embed", "expected one of --text and --input");
  }
  std::ifstream file;
  if (!options.input.empty() && options.input != "-") {
    file.open(options.input, std::ios::binary);
    std::error_code ignored;
    if (!file || std::filesystem::is_directory(options.input, ignored)) {
      fail(ErrorCode::not_found, options.input, "expected a file of texts, one JSON object a line");
    }
  }
  const auto engine = load_engine(options.model);
  Embed embed(*engine, options);
  if (options.text) {
    embed.write(engine->encode(*options.text, /*with_bos=*/true), nullptr);
    return 0;
  }
  std::istream& input = options.input == "-" ? std::cin : file;
  std::size_t number = 0;
  for (std::string line; std::getline(input, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") != std::string::npos) embed.write_line(line, number);
  }
  return 0;
}

}  // namespace

void add_embed(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("embed", "Print texts as vectors, one JSON object a line");
  verb.add_option("-i,--input", options->input,
                  "One JSON object a line: \"text\" or \"ids\", and \"id\" if wanted; - is standard input")
      ->type_name("FILE.jsonl")
      ->check(not_empty("a name"))
      ->group("Input");
  verb.add_option("-t,--text", options->text, "A text")->type_name("TEXT")->group("Input");
  verb.add_option("--pooling", options->pooling, "The mean of all hidden states behind the final norm, or the last")
      ->type_name("mean|last")
      ->check(one_of({"mean", "last"}))
      ->group("Output")
      ->capture_default_str();
  verb.add_flag("--normalize", options->normalize, "To length 1")->group("Output");
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm embed --text \"To be, or not to be\" --normalize\n"
      "  xlstm embed --input texts.jsonl --pooling last > vectors.jsonl");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
