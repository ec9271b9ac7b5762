#include "xlstm/checkpoint/quantization_config.h"

namespace xlstm::checkpoint {
namespace {

// Other modes of MLX (mxfp4, nvfp4 ...) and other widths are real, but no kernel here reads them.
config::AffineFormat read_format(ConfigSection& section) {
  const auto bits = section.integer("bits"), group_size = section.integer("group_size");
  if (!bits) section.refuse_value("bits", "4 or 8");
  if (*bits != 4 && *bits != 8) section.refuse_unsupported("bits", "4 or 8");
  if (!group_size) section.refuse_value("group_size", "32, 64 or 128");
  if (*group_size != 32 && *group_size != 64 && *group_size != 128) {
    section.refuse_unsupported("group_size", "32, 64 or 128");
  }
  if (section.string("mode").value_or("affine") != "affine") section.refuse_unsupported("mode", "\"affine\"");
  return {static_cast<int>(*bits), *group_size};
}

}  // namespace

std::optional<config::Quantization> read_quantization(ConfigSection& root) {
  std::optional<ConfigSection> section = root.section("quantization");
  if (root.same("quantization", "quantization_config")) {
    root.ignore({"quantization_config"});  // mlx-lm writes it twice
  } else {
    root.refuse_if_set("quantization_config",
                       "weights may be quantised as the key quantization says, and no other way");
  }
  if (!section) return std::nullopt;
  config::Quantization quantization;
  quantization.format = read_format(*section);
  for (const std::string& key : section->unread_keys()) {
    if (section->is_boolean(key)) {
      quantization.modules[key] = *section->boolean(key) ? std::optional(quantization.format) : std::nullopt;
    } else if (section->is_object(key)) {
      ConfigSection module = *section->section(key);
      quantization.modules[key] = read_format(module);
      module.note_unknown();
    }
  }
  section->note_unknown();
  return quantization;
}

void set_quantization(nlohmann::json& config, config::AffineFormat format,
                      const std::map<std::string, config::AffineFormat>& modules) {
  const auto describe = [](config::AffineFormat f) {
    return nlohmann::json{{"group_size", f.group_size}, {"bits", f.bits}, {"mode", "affine"}};
  };
  nlohmann::json value = describe(format);
  for (const auto& [module, own] : modules) {
    if (own != format) value[module] = describe(own);
  }
  config["quantization"] = value;
  config["quantization_config"] = value;
}

}  // namespace xlstm::checkpoint
