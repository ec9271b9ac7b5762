#include "apps/cli/bench_report.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "apps/cli/units.h"
#include "apps/cli/version.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/machine.h"
#include "xlstm/engine/statistics.h"

namespace xlstm::cli {
namespace {

std::string median_and_best(const engine::Figure& tokens_per_second) {
  if (tokens_per_second.median <= 0) return "n/a";
  return fmt::format("{}, best {:.1f}", human_rate(tokens_per_second.median), tokens_per_second.best);
}

/// A field as RFC 4180 has it.
std::string csv_field(const BenchRow& value) {
  if (value.is_null()) return "";
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted(1, '"');
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

}  // namespace

BenchRow subject_row(engine::Engine& engine) {
  const engine::Machine machine = engine::describe_machine();
  return {{"model", engine.source()},
          {"parameters", engine.model().num_parameters},
          {"dtype", engine.model().weight_kinds.front().name()},
          {"activation_dtype", engine.backend().activation_dtype()},
          {"batch_invariant", engine.backend().batch_invariant()},
          {"state_dtype", dtype_name(engine.backend().state_dtype())},
          {"backend", engine.backend().name()},
          {"threads", engine.backend().num_threads()},
          {"cpu_target", machine.cpu_target},
          {"mlx_version", machine.mlx_version.empty() ? BenchRow() : BenchRow(machine.mlx_version)},
          {"version", version()},
          {"commit", commit()}};
}

BenchRow run_row(engine::Engine& engine, const engine::BenchOptions& options, const engine::BenchResult& result) {
  BenchRow row = subject_row(engine);
  row.update({{"prompt_tokens", options.prompt_tokens},
              {"decode_tokens", options.decode_tokens},
              {"batch", options.batch},
              {"repeats", options.repeats},
              {"prefill_tokens_per_second", result.prefill_tokens_per_second.median},
              {"prefill_best_tokens_per_second", result.prefill_tokens_per_second.best},
              {"decode_tokens_per_second", result.decode_tokens_per_second.median},
              {"decode_best_tokens_per_second", result.decode_tokens_per_second.best},
              {"time_to_first_token_seconds", result.time_to_first_token_seconds},
              {"decode_step_best_seconds", result.decode_step_best_seconds},
              {"peak_rss_bytes", result.peak_rss_bytes},
              {"weight_bytes", result.weight_bytes},
              {"state_bytes_per_sequence", result.state_bytes_per_sequence},
              {"read_bandwidth_bytes_per_second", result.read_bandwidth_bytes_per_second.best},
              {"read_bandwidth_median_bytes_per_second", result.read_bandwidth_bytes_per_second.median},
              {"float32_flops_per_second", result.float32_flops_per_second.best},
              {"float32_flops_median_per_second", result.float32_flops_per_second.median},
              {"decode_step_bytes", result.decode_step_bytes},
              {"decode_bandwidth_fraction", result.decode_bandwidth_fraction.median},
              {"decode_bandwidth_best_fraction", result.decode_bandwidth_fraction.best},
              {"prefill_flops", result.prefill_flops},
              {"prefill_flops_fraction", result.prefill_flops_fraction.median},
              {"prefill_flops_best_fraction", result.prefill_flops_fraction.best}});
  return row;
}

std::vector<BenchRow> profile_rows(const engine::BenchResult& result) {
  std::vector<BenchRow> rows;
  const auto add = [&](const char* phase, const std::vector<engine::ProfileRow>& profile) {
    for (const engine::ProfileRow& op : profile) {
      rows.push_back({{"phase", phase},
                      {"op", op.op},
                      {"calls", op.calls},
                      {"seconds", op.seconds},
                      {"share", op.share},
                      {"bytes", op.bytes},
                      {"flops", op.flops},
                      {"bytes_per_second", engine::ratio(op.bytes, op.seconds)},
                      {"flops_per_second", engine::ratio(op.flops, op.seconds)},
                      {"ceiling_fraction", op.ceiling_fraction}});
    }
  };
  add("prefill", result.prefill_profile);
  add("decode", result.decode_profile);
  return rows;
}

BenchRow position_row(engine::Engine& engine, const engine::PositionsOptions& options,
                      const engine::PositionResult& result) {
  BenchRow row = subject_row(engine);
  row.update({{"position", result.position},
              {"steps", options.steps},
              {"step_median_seconds", result.step_median_seconds},
              {"step_best_seconds", result.step_best_seconds},
              {"ratio_to_first", result.ratio_to_first},
              {"best_ratio_to_first", result.best_ratio_to_first},
              {"rss_bytes", result.rss_bytes}});
  return row;
}

std::string run_text(engine::Engine& engine, const engine::BenchOptions& options, const engine::BenchResult& result) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("{:<12}{}\n", name, value); };
  line("model", fmt::format("{}, {} parameters, {} (activations {}, state {})", engine.source(),
                            human_count(engine.model().num_parameters), engine.model().weight_kinds.front().name(),
                            engine.backend().activation_dtype(), dtype_name(engine.backend().state_dtype())));
  line("run", fmt::format("backend {}, {} threads, {}, batch {}{}, median of {}", engine.backend().name(),
                          engine.backend().num_threads(), engine::describe_machine().cpu_target, options.batch,
                          engine.backend().batch_invariant() ? "" : " (not invariant)", options.repeats));
  line("prefill", fmt::format("{} ({} tokens; first token after {:.3f} s; {:.2f} of the FMA peak)",
                              median_and_best(result.prefill_tokens_per_second), options.prompt_tokens,
                              result.time_to_first_token_seconds, result.prefill_flops_fraction.median));
  line("decode", fmt::format("{} ({} tokens; {:.1f} MB a step; {:.2f} of the read bandwidth; best step {:.1f} us)",
                             median_and_best(result.decode_tokens_per_second), options.decode_tokens,
                             result.decode_step_bytes / 1e6, result.decode_bandwidth_fraction.median,
                             result.decode_step_best_seconds * 1e6));
  line("memory", fmt::format("peak {}, weights {}, state {} a sequence", human_bytes(result.peak_rss_bytes),
                             human_bytes(result.weight_bytes), human_bytes(result.state_bytes_per_sequence)));
  line("machine",
       fmt::format("reads {:.1f} GB/s, {:.1f} GFLOP/s float32 (best of the run; medians {:.1f} and {:.1f})",
                   result.read_bandwidth_bytes_per_second.best / 1e9, result.float32_flops_per_second.best / 1e9,
                   result.read_bandwidth_bytes_per_second.median / 1e9, result.float32_flops_per_second.median / 1e9));
  return text;
}

std::string profile_text(std::string_view phase, const std::vector<engine::ProfileRow>& rows) {
  if (rows.empty()) return "";
  std::string text = fmt::format("\n{:<16}{:>7}{:>12}{:>8}{:>11}{:>9}{:>11}{:>13}\n", phase, "calls", "us", "share",
                                 "MB", "GB/s", "GFLOP/s", "of ceiling");
  for (const engine::ProfileRow& row : rows) {
    const std::string ceiling = row.ceiling_fraction > 0 ? fmt::format("{:.2f}", row.ceiling_fraction) : "-";
    text +=
        fmt::format("  {:<14}{:>7}{:>12.1f}{:>7.1f}%{:>11.3f}{:>9.1f}{:>11.1f}{:>13}\n", row.op, row.calls,
                    row.seconds * 1e6, row.share * 100, row.bytes / 1e6, engine::ratio(row.bytes, row.seconds) / 1e9,
                    engine::ratio(row.flops, row.seconds) / 1e9, ceiling);
  }
  return text;
}

std::string sweep_head() {
  return fmt::format("{:>6}{:>8}{:>8}{:>8}{:>12}{:>10}{:>8}{:>12}{:>10}{:>8}{:>14}\n", "batch", "prompt", "decode",
                     "threads", "prefill t/s", "best", "of FMA", "decode t/s", "best", "of read", "best step us");
}

std::string sweep_line(const BenchRow& row) {
  const auto number = [&](const char* key) { return row.at(key).get<double>(); };
  return fmt::format("{:>6}{:>8}{:>8}{:>8}{:>12.1f}{:>10.1f}{:>8.2f}{:>12.1f}{:>10.1f}{:>8.2f}{:>14.1f}\n",
                     row.at("batch").dump(), row.at("prompt_tokens").dump(), row.at("decode_tokens").dump(),
                     row.at("threads").dump(), number("prefill_tokens_per_second"),
                     number("prefill_best_tokens_per_second"), number("prefill_flops_fraction"),
                     number("decode_tokens_per_second"), number("decode_best_tokens_per_second"),
                     number("decode_bandwidth_fraction"), number("decode_step_best_seconds") * 1e6);
}

std::string positions_text(const std::vector<engine::PositionResult>& results) {
  std::string text = fmt::format("{:>12}{:>16}{:>12}{:>18}{:>10}{:>16}\n", "position", "step us, median", "best",
                                 "to first, median", "best", "resident KiB");
  for (const engine::PositionResult& result : results) {
    text += fmt::format("{:>12}{:>16.1f}{:>12.1f}{:>18.4f}{:>10.4f}{:>16}\n", human_count(result.position),
                        result.step_median_seconds * 1e6, result.step_best_seconds * 1e6, result.ratio_to_first,
                        result.best_ratio_to_first, human_count(static_cast<std::int64_t>(result.rss_bytes / 1024)));
  }
  return text;
}

CsvFile::CsvFile(const std::filesystem::path& path) : path_(path), file_(path) {
  if (!file_) fail(ErrorCode::not_found, path_.string(), "expected a writable file but got: ", std::strerror(errno));
}

void CsvFile::add(const BenchRow& row) {
  std::vector<std::string> names, values;
  for (const auto& [name, value] : row.items()) {
    names.push_back(name);
    values.push_back(csv_field(value));
  }
  if (!has_head_) file_ << fmt::format("{}\n", fmt::join(names, ","));
  has_head_ = true;
  file_ << fmt::format("{}\n", fmt::join(values, ",")) << std::flush;
  if (!file_) fail(ErrorCode::internal, path_.string(), "expected to write but got: ", std::strerror(errno));
}

BenchRow requests_row(const engine::RequestsOptions& options, const engine::RequestsResult& result) {
  BenchRow row = {{"requests", options.requests},
                  {"decode_tokens", options.decode_tokens},
                  {"repeats", options.repeats},
                  {"batch_tokens_per_second", result.batch_tokens_per_second.median},
                  {"requests_tokens_per_second", result.requests_tokens_per_second.median},
                  {"ratio", result.ratio},
                  {"long_prompt_tokens", options.long_prompt_tokens}};
  if (options.long_prompt_tokens == 0) return row;
  row["step_seconds"] = result.step_seconds;
  row["piece_seconds"] = result.piece_seconds;
  row["pieces"] = result.pieces;
  row["longest_gap_seconds"] = result.longest_gap_seconds;
  row["longest_gap_piece_seconds"] = result.longest_gap_piece_seconds;
  return row;
}

std::string requests_text(const engine::RequestsOptions& options, const engine::RequestsResult& result) {
  std::string text = fmt::format("{:<12}{:.1f} tok/s\n{:<12}{:.1f} tok/s, {:.3f} of the batch\n",
                                 fmt::format("batch {}", options.requests), result.batch_tokens_per_second.median,
                                 "requests", result.requests_tokens_per_second.median, result.ratio);
  if (options.long_prompt_tokens == 0) return text;
  return text +
         fmt::format(
             "gap         {:.2f} ms at most while {} tokens are read in {} pieces of {:.2f} ms (median): its piece "
             "{:.2f} ms, the rest {:.2f} steps of {:.2f} ms\n",
             1e3 * result.longest_gap_seconds, options.long_prompt_tokens, result.pieces, 1e3 * result.piece_seconds,
             1e3 * result.longest_gap_piece_seconds,
             (result.longest_gap_seconds - result.longest_gap_piece_seconds) / result.step_seconds,
             1e3 * result.step_seconds);
}

}  // namespace xlstm::cli
