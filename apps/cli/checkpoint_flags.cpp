#include "apps/cli/checkpoint_flags.h"

#include <fmt/format.h>

#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/units.h"
#include "apps/cli/weights.h"
#include "xlstm/engine/embedded_model.h"

namespace xlstm::cli {

void add_checkpoint_flags(CLI::App& verb, CheckpointFlags& flags) {
  verb.add_option("-m,--model", flags.model, "Directory of a checkpoint; without it the embedded model")
      ->type_name("DIR")
      ->check(not_empty("a name"))
      ->group("Model");
  verb.add_option("-o,--output", flags.output,
                  "New or empty directory for the result, which appears whole or not at all")
      ->type_name("DIR")
      ->check(not_empty("a name"))
      ->required();
  verb.add_option("--max-shard-size", flags.max_shard_size, "Weight files of at most so many bytes of tensors")
      ->type_name("SIZE")
      ->capture_default_str();
  verb.add_flag("--json", flags.json, "Print one JSON object");
}

std::unique_ptr<checkpoint::FileSource> open_model(const CheckpointFlags& flags) {
  return flags.model.empty() ? engine::embedded_model() : checkpoint::open_directory(flags.model);
}

void with_progress(const std::string& label, const std::function<void(const quantize::Callbacks&)>& write) {
  const InterruptScope interrupt(InterruptScope::Temper::cleaning);
  ProgressBar bar(label, 0.5);
  quantize::Callbacks callbacks;
  callbacks.cancel = interrupt.flag();
  callbacks.on_progress = [&](double fraction) { bar.update(fraction); };
  write(callbacks);
}

nlohmann::ordered_json to_json(const CheckpointFlags& flags, const quantize::Report& report) {
  return {{"output", flags.output},
          {"parameters", report.parameters},
          {"weights", describe_weights(report.weights)},
          {"source_bytes", report.source_bytes},
          {"bytes", report.bytes}};
}

std::string to_text(const CheckpointFlags& flags, const quantize::Report& report) {
  return fmt::format("wrote {}: {} parameters, {}, {} of weights (from {})\n", flags.output,
                     human_count(report.parameters), weight_summary(report.weights), human_bytes(report.bytes),
                     human_bytes(report.source_bytes));
}

}  // namespace xlstm::cli
