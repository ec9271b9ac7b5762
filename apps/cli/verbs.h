// The verbs of the program. Each adds itself to the command line; when chosen, it leaves what is to be done in
// `action`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace xlstm::cli {

/// Runs a verb after the command line was read; returns the exit code. Errors are thrown.
using Action = std::function<int()>;

void add_generate(CLI::App& program, Action& action);
void add_batch(CLI::App& program, Action& action);
void add_embed(CLI::App& program, Action& action);
void add_chat(CLI::App& program, Action& action);
void add_serve(CLI::App& program, Action& action);
void add_template(CLI::App& program, Action& action);
void add_tokenize(CLI::App& program, Action& action);
void add_detokenize(CLI::App& program, Action& action);
void add_state(CLI::App& program, Action& action);
void add_dump(CLI::App& program, Action& action);
void add_perplexity(CLI::App& program, Action& action);
void add_info(CLI::App& program, Action& action);
void add_convert(CLI::App& program, Action& action);
void add_quantize(CLI::App& program, Action& action);
void add_bench(CLI::App& program, Action& action);
void add_top(CLI::App& program, Action& action);
void add_completion(CLI::App& program, Action& action);

}  // namespace xlstm::cli
