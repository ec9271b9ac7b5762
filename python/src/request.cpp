#include "python/src/request.h"

#include <nanobind/stl/string.h>

#include <functional>
#include <map>
#include <type_traits>

#include "python/src/arguments.h"
#include "python/src/errors.h"
#include "xlstm/base/error.h"

namespace xlstm::python {
namespace {

using generation::Request;
using sampling::SamplingParams;
using scheduler::Submission;
using Kind = engine::Constraint::Kind;

using Read = std::function<void(const std::string& name, nb::handle value, RequestOptions& options)>;
struct Keyword {
  Read read;
  std::optional<Runner> only = std::nullopt;  // none: of both
};

template <class Value>
void read_into(const std::string& name, nb::handle value, Value& out) {
  if constexpr (std::is_same_v<Value, bool>) {
    out = read_bool(name, value);
  } else if constexpr (std::is_same_v<Value, std::string>) {
    out = read_text(name, value);
  } else if constexpr (std::is_floating_point_v<Value>) {
    out = static_cast<Value>(read_number(name, value));
  } else if constexpr (std::is_unsigned_v<Value>) {
    out = static_cast<Value>(read_unsigned(name, value));
  } else {
    out = static_cast<Value>(read_integer(name, value));
  }
}

template <class Value>
Read of(Value Request::*member) {
  return [=](const auto& name, nb::handle value, RequestOptions& options) {
    read_into(name, value, options.submission.request.*member);
  };
}
template <class Value>
Read of(Value SamplingParams::*member) {
  return [=](const auto& name, nb::handle value, RequestOptions& options) {
    read_into(name, value, options.submission.request.sampling.*member);
  };
}
template <class Value>
Read of(Value Submission::*member) {
  return [=](const auto& name, nb::handle value, RequestOptions& options) {
    read_into(name, value, options.submission.*member);
  };
}
template <class Value>
Read of(Value generation::BeamParams::*member) {
  return [=](const auto& name, nb::handle value, RequestOptions& options) {
    read_into(name, value, options.submission.beams.*member);
  };
}
template <class Value>
Read of(Value RequestOptions::*member) {
  return [=](const auto& name, nb::handle value, RequestOptions& options) { read_into(name, value, options.*member); };
}

void read_bias(const std::string& name, nb::handle value, RequestOptions& options) {
  if (!PyDict_Check(value.ptr())) refuse_type(name, "a dict of ids and numbers", value);
  for (const auto& [id, amount] : nb::borrow<nb::dict>(value)) {
    options.submission.request.sampling.logit_bias.emplace_back(read_id(name, id),
                                                                static_cast<float>(read_number(name, amount)));
  }
}

/// False, True or "never", as in transformers.
void read_early_stopping(const std::string& name, nb::handle value, RequestOptions& options) {
  using generation::EarlyStopping;
  EarlyStopping& early = options.submission.beams.early_stopping;
  if (PyUnicode_Check(value.ptr())) {
    if (read_text(name, value) != "never") {
      fail(ErrorCode::invalid_argument, name, "expected False, True or \"never\" but got \"", read_text(name, value),
           "\"");
    }
    early = EarlyStopping::never;
  } else {
    early = read_bool(name, value) ? EarlyStopping::yes : EarlyStopping::no;
  }
}

void set_constraint(engine::Constraint constraint, RequestOptions& options) {
  if (options.constraint) {
    fail(ErrorCode::invalid_argument, "request",
         "expected one of grammar, regex, json_schema and json_object but got several");
  }
  options.constraint = std::move(constraint);
}

Read constraint(Kind kind) {
  return [=](const auto& name, nb::handle value, RequestOptions& options) {
    set_constraint({kind, read_text(name, value)}, options);
  };
}

/// A schema as Python has it, or its text.
void read_schema(const std::string& name, nb::handle value, RequestOptions& options) {
  const bool text = PyUnicode_Check(value.ptr());
  if (!text && !PyDict_Check(value.ptr()) && !PyBool_Check(value.ptr())) {
    refuse_type(name, "a dict, a bool or a str", value);
  }
  const nb::object source = text ? nb::borrow(value) : nb::module_::import_("json").attr("dumps")(value);
  set_constraint({Kind::json_schema, nb::cast<std::string>(source)}, options);
}

void read_json_object(const std::string& name, nb::handle value, RequestOptions& options) {
  if (read_bool(name, value)) set_constraint({Kind::json_object, ""}, options);
}

void read_boundaries(const std::string& name, nb::handle value, RequestOptions& options) {
  if (!PySequence_Check(value.ptr())) refuse_type(name, "a sequence of lengths", value);
  for (const nb::handle length : nb::borrow<nb::sequence>(value)) {
    options.submission.snapshots_at.push_back(read_unsigned(name, length));
  }
}

/// But for ignore_eos.
const std::map<std::string, Keyword>& keywords() {
  static const std::map<std::string, Keyword> kKeywords = {
      {"max_tokens", {of(&Request::max_tokens)}},
      {"min_tokens", {of(&Request::min_tokens)}},
      {"logprobs", {of(&Request::logprobs)}},
      {"echo", {of(&Request::echo)}},
      {"temperature", {of(&SamplingParams::temperature)}},
      {"top_k", {of(&SamplingParams::top_k)}},
      {"top_p", {of(&SamplingParams::top_p)}},
      {"min_p", {of(&SamplingParams::min_p)}},
      {"repetition_penalty", {of(&SamplingParams::repetition_penalty)}},
      {"frequency_penalty", {of(&SamplingParams::frequency_penalty)}},
      {"presence_penalty", {of(&SamplingParams::presence_penalty)}},
      {"penalty_window", {of(&SamplingParams::penalty_window)}},
      {"seed", {of(&SamplingParams::seed)}},
      {"logit_bias", {read_bias}},
      {"stop", {[](const auto& name, nb::handle value, RequestOptions& options) {
         options.submission.request.stop_strings = read_texts(name, value);
       }}},
      {"stop_ids", {[](const auto& name, nb::handle value, RequestOptions& options) {
         options.submission.request.stop_ids = read_ids(name, value);
       }}},
      {"grammar", {constraint(Kind::gbnf)}},
      {"regex", {constraint(Kind::regex)}},
      {"json_schema", {read_schema}},
      {"json_object", {read_json_object}},
      {"resumable", {of(&Request::resumable), Runner::model}},
      {"draft", {of(&RequestOptions::draft), Runner::model}},
      {"draft_tokens", {of(&RequestOptions::draft_tokens), Runner::model}},
      {"priority", {of(&Submission::priority), Runner::service}},
      {"num_samples", {of(&Submission::num_samples), Runner::service}},
      {"best_of", {of(&Submission::best_of), Runner::service}},
      {"num_beams", {of(&generation::BeamParams::num_beams), Runner::service}},
      {"length_penalty", {of(&generation::BeamParams::length_penalty), Runner::service}},
      {"early_stopping", {read_early_stopping, Runner::service}},
      {"prompt_logprobs", {of(&Submission::prompt_logprobs), Runner::service}},
      {"use_cache", {of(&Submission::use_cache), Runner::service}},
      {"exact_reuse", {of(&Submission::exact_reuse), Runner::service}},
      {"snapshots_at", {read_boundaries, Runner::service}},
      {"keep_state", {of(&RequestOptions::keep_state), Runner::service}},
  };
  return kKeywords;
}

const Keyword& find_keyword(const std::string& name, Runner runner) {
  const auto found = keywords().find(name);
  if (found == keywords().end()) throw nb::type_error(("unexpected keyword argument '" + name + "'").c_str());
  if (found->second.only && *found->second.only != runner) {
    const char* const other = runner == Runner::model ? "a Service" : "a Model";
    throw nb::type_error(("unexpected keyword argument '" + name + "': it belongs to " + other).c_str());
  }
  return found->second;
}

}  // namespace

RequestOptions read_request(const nb::dict& given, Runner runner, const engine::Engine& engine) {
  RequestOptions options;
  Request& request = options.submission.request;
  bool ignore_eos = false;
  for (const auto& [key, value] : given) {
    const std::string name = nb::cast<std::string>(key);
    if (name == "ignore_eos") {
      ignore_eos = read_bool(name, value);
      continue;
    }
    const Keyword& keyword = find_keyword(name, runner);
    if (!value.is_none()) keyword.read(name, value, options);  // None: as if it were not there
  }
  if (!ignore_eos) request.stop_ids.insert(request.stop_ids.end(), engine.stop_ids().begin(), engine.stop_ids().end());
  options.own_seed = given.contains("seed") && !given["seed"].is_none();
  // A beam search draws nothing.
  if (options.submission.beams.num_beams > 0 && !given.contains("temperature")) request.sampling.temperature = 0;
  return options;
}

void resume(generation::Request& request, const engine::Session& session, bool own_seed) {
  const std::uint64_t seed = request.sampling.seed;
  session.resume(request);
  if (request.history.empty()) request.history = session.ids();
  if (!own_seed || seed == request.sampling.seed) return;
  request.sampling.seed = seed;
  request.drawn = 0;
}

}  // namespace xlstm::python
