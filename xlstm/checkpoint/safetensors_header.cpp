#include "xlstm/checkpoint/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "xlstm/checkpoint/json_document.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/safetensors.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<std::string_view, DType>, 11> kDtypes = {{{"F32", DType::float32},
                                                                         {"F16", DType::float16},
                                                                         {"BF16", DType::bfloat16},
                                                                         {"F64", DType::float64},
                                                                         {"I64", DType::int64},
                                                                         {"I32", DType::int32},
                                                                         {"I16", DType::int16},
                                                                         {"I8", DType::int8},
                                                                         {"U8", DType::uint8},
                                                                         {"BOOL", DType::boolean},
                                                                         {"U32", DType::uint32}}};
constexpr std::string_view kMetadata = "__metadata__";
constexpr std::size_t kMaxRank = 8;

// The header is {"__metadata__": {key: string}, tensor: {"dtype": string, "shape": [int], "data_offsets": [int, int]}};
// anything else is refused where it starts, so nesting never gets deeper than this.
class HeaderHandler : public nlohmann::json_sax<json> {
 public:
  HeaderHandler(const std::string& file, SafetensorsHeader& header) : file_(file), header_(header) {}

  bool null() override { unexpected("null"); }
  bool boolean(bool value) override { unexpected(value ? "true" : "false"); }
  bool number_float(double, const std::string& text) override { unexpected(text); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool number_integer(std::int64_t value) override { unexpected(value); }  // only called for negative numbers

  bool number_unsigned(std::uint64_t value) override {
    if (place_ == Place::shape) {
      add_dimension(value);
    } else if (place_ == Place::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
    } else {
      unexpected(value);
    }
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      header_.metadata[key_] = value;
    } else if (place_ == Place::entry && key_ == "dtype") {
      set_dtype(value);
    } else {
      unexpected(quote(value));
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::root;
    } else if (place_ == Place::root && name_ == kMetadata) {
      place_ = Place::metadata;
    } else if (place_ == Place::root) {
      place_ = Place::entry;
      entry_ = {};
      seen_ = {};
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) {
      for (std::size_t i = 0; i < kFields.size(); ++i) {
        if (!seen_[i]) refuse_corrupt(file_, "tensor ", quote(name_), ": expected \"", kFields[i], "\" but got none");
      }
      header_.tensors.emplace(name_, std::move(entry_));
    }
    if (place_ != Place::root) place_ = Place::root;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::entry && key_ == "shape") {
      place_ = Place::shape;
    } else if (place_ == Place::entry && key_ == "data_offsets") {
      place_ = Place::offsets;
      offsets_ = 0;
    } else {
      unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_ != 2) {
      refuse_corrupt(file_, "tensor ", quote(name_), ": expected 2 data_offsets but got ", offsets_);
    }
    place_ = Place::entry;
    return true;
  }

  bool key(std::string& value) override {
    if (place_ == Place::root) {
      begin_name(value);
    } else if (place_ == Place::entry) {
      begin_field(value);
    } else {
      if (header_.metadata.contains(value))
        refuse_corrupt(file_, "metadata: expected ", quote(value), " once but got it twice");
      key_ = value;
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    refuse_corrupt(file_, "header: expected JSON but got a ", describe(error));
  }

 private:
  enum class Place { start, root, metadata, entry, shape, offsets };
  static constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};

  void begin_name(const std::string& name) {
    const bool twice = name == kMetadata ? std::exchange(metadata_seen_, true) : header_.tensors.contains(name);
    if (twice)
      refuse_corrupt(file_, "tensor ", quote(name), ": expected once in the header but got it twice (duplicate)");
    if (name.size() > kMaxNameBytes) {
      refuse_corrupt(file_, "tensor ", quote(name), ": expected a name of at most ", kMaxNameBytes, " bytes but got ",
                     name.size());
    }
    if (header_.tensors.size() == kMaxTensors) {
      refuse_corrupt(file_, "tensor ", quote(name), ": expected at most ", kMaxTensors, " tensors but got more");
    }
    name_ = name;
    key_.clear();
  }

  void begin_field(const std::string& field) {
    const auto known = std::find(kFields.begin(), kFields.end(), field);
    if (known == kFields.end()) {
      refuse_corrupt(file_, "tensor ", quote(name_), ": expected dtype, shape and data_offsets but got ", quote(field));
    }
    if (std::exchange(seen_[static_cast<std::size_t>(known - kFields.begin())], true)) {
      refuse_corrupt(file_, "tensor ", quote(name_), ": expected ", quote(field), " once but got it twice");
    }
    key_ = field;
  }

  void set_dtype(const std::string& name) {
    const auto known =
        std::find_if(kDtypes.begin(), kDtypes.end(), [&](const auto& pair) { return pair.first == name; });
    if (known == kDtypes.end()) {
      refuse_corrupt(file_, "tensor ", quote(name_),
                     ": expected dtype F32, F16, BF16, F64, I64, I32, I16, I8, U32, U8 or BOOL but got ", quote(name));
    }
    entry_.dtype = known->second;
  }

  void add_dimension(std::uint64_t value) {
    if (value > static_cast<std::uint64_t>(INT64_MAX)) {
      refuse_corrupt(file_, "tensor ", quote(name_), ": expected a dimension below 2^63 but got ", value);
    }
    if (entry_.shape.size() == kMaxRank) {
      refuse_corrupt(file_, "tensor ", quote(name_), ": expected at most ", kMaxRank, " dimensions but got more");
    }
    entry_.shape.push_back(static_cast<std::int64_t>(value));
  }

  template <class Found>
  [[noreturn]] void unexpected(const Found& found) {
    if (place_ == Place::start) refuse_corrupt(file_, "header: expected a JSON object but got ", found);
    if (place_ == Place::metadata)
      refuse_corrupt(file_, "metadata ", quote(key_), ": expected a string but got ", found);
    if (place_ == Place::root) refuse_corrupt(file_, "tensor ", quote(name_), ": expected an object but got ", found);
    const std::string_view expected = place_ == Place::shape || place_ == Place::offsets
                                          ? "a whole number, not negative,"
                                      : key_ == "dtype"        ? "a string"
                                      : key_ == "data_offsets" ? "two numbers"
                                                               : "an array of numbers";
    refuse_corrupt(file_, "tensor ", quote(name_), ": expected ", expected, " in ", quote(key_), " but got ", found);
  }

  const std::string& file_;
  SafetensorsHeader& header_;
  Place place_ = Place::start;
  std::string name_;  // of the tensor being read
  std::string key_;   // of the field or of the metadata
  HeaderEntry entry_;
  std::array<bool, 3> seen_ = {};
  int offsets_ = 0;
  bool metadata_seen_ = false;
};

}  // namespace

std::string_view safetensors_dtype_name(DType dtype) noexcept {
  for (const auto& [name, value] : kDtypes) {
    if (value == dtype) return name;
  }
  return "?";
}

SafetensorsHeader parse_safetensors_header(std::string_view json_text, const std::string& file) {
  SafetensorsHeader header;
  HeaderHandler handler(file, header);
  json::sax_parse(json_text.begin(), json_text.end(), &handler);
  return header;
}

}  // namespace xlstm::checkpoint
