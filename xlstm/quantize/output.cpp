#include "xlstm/quantize/output.h"

#include <optional>
#include <utility>

#include "xlstm/checkpoint/atomic_file.h"
#include "xlstm/checkpoint/json_document.h"
#include "xlstm/checkpoint/new_directory.h"
#include "xlstm/checkpoint/shard_plan.h"
#include "xlstm/model/weight_kinds.h"

namespace xlstm::quantize {
namespace {

namespace fs = std::filesystem;
using checkpoint::Layout;

// What a checkpoint may hold beside weights and config, and what does not depend on them.
constexpr const char* kCompanions[] = {"generation_config.json",
                                       "tokenizer.json",
                                       "tokenizer_config.json",
                                       "special_tokens_map.json",
                                       "added_tokens.json",
                                       "vocab.json",
                                       "merges.txt",
                                       "tokenizer.model",
                                       "chat_template.jinja",
                                       "chat_template.json",
                                       "LICENSE",
                                       "LICENSE.md",
                                       "LICENSE.txt"};

void copy_companions(const checkpoint::FileSource& files, const fs::path& directory) {
  for (const char* name : kCompanions) {
    const auto bytes = files.open(name);
    if (!bytes) continue;
    checkpoint::AtomicFile file(directory / name);
    file.write(bytes->data);
    file.commit();
  }
}

// The package's config has no place for token ids; its readers find them where generation looks for them.
void write_token_ids(const config::ModelConfig& config, const fs::path& directory) {
  const fs::path path = directory / "generation_config.json";
  if (fs::exists(path) || (!config.bos_token_id && config.eos_token_ids.empty())) return;
  nlohmann::json ids;
  if (config.bos_token_id) ids["bos_token_id"] = *config.bos_token_id;
  if (!config.eos_token_ids.empty()) ids["eos_token_id"] = config.eos_token_ids;
  checkpoint::write_text(path, ids.dump(2) + "\n");
}

bool is_yaml(const Source& source, Layout layout) {
  if (layout == source.checkpoint.layout) return source.checkpoint.config_file.ends_with(".yaml");
  return layout == Layout::package;
}

void write_config(const Source& source, const Output& output, const fs::path& directory) {
  if (is_yaml(source, output.layout)) {
    checkpoint::write_text(directory / "config.yaml", checkpoint::dump_yaml(output.config));
  } else {
    checkpoint::write_text(directory / "config.json", output.config.dump(2) + "\n");
  }
}

}  // namespace

std::map<std::string, config::AffineFormat> quantized_modules(const Source& source,
                                                              const std::vector<Rewrite>& rewrites) {
  std::map<std::string, config::AffineFormat> modules;
  for (const Rewrite& rewrite : rewrites) {
    const auto module = module_of(rewrite.name, "weight");
    if (!module) continue;
    if (rewrite.format) modules.emplace(*module, *rewrite.format);
    if (rewrite.dtype != DType::uint32) continue;
    // Copied as it is; under a name of its own where the layout has another.
    const std::string from = module_of(rewrite.source.weight.name, "weight").value();
    modules.emplace(*module, source.checkpoint.quantization.value().format_of(from).value());
  }
  return modules;
}

Report write_checkpoint(const Source& source, const std::vector<Rewrite>& rewrites, const Output& output,
                        const Callbacks& callbacks) {
  const std::map<std::string, config::AffineFormat> modules = quantized_modules(source, rewrites);
  checkpoint::NewDirectory directory(output.directory);
  Shards shards;
  shards.max_bytes = output.max_shard_bytes;
  shards.numbered = output.layout == Layout::package;
  shards.metadata = {{"format", modules.empty() ? "pt" : "mlx"}};
  const auto tensors = write_tensors(rewrites, source.files, directory.temporary(), shards, callbacks);
  copy_companions(source.files, directory.temporary());
  if (output.layout == Layout::package) write_token_ids(source.model->config, directory.temporary());
  write_config(source, output, directory.temporary());
  directory.commit();

  Report report;
  report.source_bytes = source.model->weight_bytes;
  report.weights = model::count_weight_kinds(tensors, modules);
  for (const model::WeightKind& kind : report.weights) {
    report.parameters += kind.parameters;
    report.bytes += kind.bytes;
  }
  return report;
}

}  // namespace xlstm::quantize
