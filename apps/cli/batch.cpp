// xlstm batch: a file of requests in, a file of answers out; many at once, and taken up again after an interruption.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>

#include "apps/cli/batch_line.h"
#include "apps/cli/batch_output.h"
#include "apps/cli/exit_codes.h"
#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/result_json.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/submission_flags.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/machine.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  ModelFlags model;
  GenerationFlags generation;
  SubmissionFlags submission;
  ServiceFlags service;
  std::string input, output;
};

/// A request that has ended, on its way from the engine's thread to the one that writes.
struct Ended {
  std::size_t index;
  std::string input;
  Json id;
  bool scored;                  // with best_of or beams
  std::vector<TokenId> prompt;  // where its log-probabilities were asked for
  engine::Outcome outcome;
};

/// Not more than so many requests are on their way at a time.
class Queue {
 public:
  void push(Ended ended) {
    {
      const std::lock_guard lock(mutex_);
      ended_.push_back(std::move(ended));
    }
    wake_.notify_one();
  }
  /// Waits a little for the next; none: nothing has ended yet.
  std::optional<Ended> pop(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    if (!wake_.wait_for(lock, wait, [&] { return !ended_.empty(); })) return std::nullopt;
    Ended ended = std::move(ended_.front());
    ended_.pop_front();
    return ended;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Ended> ended_;
};

Json head(std::size_t index, const std::string& input, const Json& id) {
  Json line = {{"index", index}, {"input", BatchOutput::input_hash(input)}};
  if (!id.is_null()) line["id"] = id;
  return line;
}

class Batch {
 public:
  Batch(engine::Service& service, const Options& options, std::istream& input, BatchOutput& output,
        std::uintmax_t input_bytes)
      : service_(service),
        defaults_(make_submission(options.submission, options.generation, service.engine())),
        input_(input),
        output_(output),
        input_bytes_(input_bytes) {
    defaults_.exact_reuse = options.service.exact_reuse;
    defaults_.use_cache = options.service.prefix_cache;
  }

  int run(std::size_t most_on_their_way) {
    const InterruptScope interrupt;
    ProgressBar bar("batch", 0.5);
    for (std::string line; !interrupt.interrupted() && next(line);) {
      submit(line);
      while (on_their_way_ >= most_on_their_way && !interrupt.interrupted()) write_next();
      if (input_bytes_ > 0) bar.update(static_cast<double>(read_bytes_) / static_cast<double>(input_bytes_ + 1));
    }
    while (on_their_way_ > 0 && !interrupt.interrupted()) write_next();
    bar.clear();
    output_.sync();
    summarise(interrupt.interrupted());
    if (interrupt.interrupted()) return kExitCancelled;
    return failed_ > 0 ? kExitUsage : 0;
  }

 private:
  /// The next line that is not empty and not answered yet.
  bool next(std::string& line) {
    while (std::getline(input_, line)) {
      read_bytes_ += line.size() + 1;
      const std::size_t index = index_++;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (output_.has(index, line)) {
        ++skipped_;
        continue;
      }
      return true;
    }
    return false;
  }

  void submit(const std::string& line) {
    const std::size_t index = index_ - 1;
    try {
      engine::Submission defaults = defaults_;
      defaults.request.sampling.seed += index;
      BatchLine parsed = parse_batch_line(line, defaults, service_.engine());
      engine::Submission& submission = parsed.submission;
      Ended ended{index, line, parsed.id, submission.best_of > 0 || submission.beams.num_beams > 0, {}, {}};
      if (submission.prompt_logprobs >= 0) ended.prompt = submission.request.prompt;
      submission.listener.on_end = [queue = queue_, ended = std::move(ended)](engine::Outcome outcome) mutable {
        for (scheduler::Sample& sample : outcome.samples) sample.state = {};
        ended.outcome = std::move(outcome);
        queue->push(std::move(ended));
      };
      service_.submit(std::move(submission));
      ++on_their_way_;
    } catch (const Error& error) {
      write_fault(head(index, line, nullptr), error.what());
    }
  }

  void write_next() {
    std::optional<Ended> ended = queue_->pop(std::chrono::milliseconds(100));
    if (!ended) return;
    --on_their_way_;
    Json line = head(ended->index, ended->input, ended->id);
    if (ended->outcome.error) {
      try {
        std::rethrow_exception(ended->outcome.error);
      } catch (const std::exception& error) {
        return write_fault(std::move(line), error.what());
      }
    }
    line.update(batch_result(ended->outcome, ended->scored, ended->prompt, service_.tokenizer()));
    prompt_tokens_ += ended->outcome.prompt_tokens;
    cached_tokens_ += ended->outcome.cached_tokens;
    for (const scheduler::Sample& sample : ended->outcome.samples) generated_tokens_ += sample.result.ids.size();
    ++written_;
    output_.write(line.dump());
  }

  void write_fault(Json line, std::string_view message) {
    line["error"] = message;
    ++failed_;
    output_.write(line.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  void summarise(bool interrupted) const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    say(fmt::format("{} requests{}{} | prompts {} tokens ({} cached) | generated {} tokens, {} | {:.1f} s{}\n",
                    written_, failed_ > 0 ? fmt::format(", {} wrong", failed_) : "",
                    skipped_ > 0 ? fmt::format(", {} done before", skipped_) : "", prompt_tokens_, cached_tokens_,
                    generated_tokens_, human_rate(static_cast<double>(generated_tokens_) / std::max(seconds, 1e-9)),
                    seconds, interrupted ? " | stopped by Ctrl-C; the same command goes on" : ""));
  }

  engine::Service& service_;
  engine::Submission defaults_;
  std::istream& input_;
  BatchOutput& output_;
  std::uintmax_t input_bytes_, read_bytes_ = 0;
  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();  // what Ctrl-C leaves ends after this object
  std::size_t index_ = 0, on_their_way_ = 0, written_ = 0, failed_ = 0, skipped_ = 0;
  std::size_t prompt_tokens_ = 0, cached_tokens_ = 0, generated_tokens_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Texts of a line are rows. Errors: invalid_argument.
void check_rows(const Options& options) {
  const SubmissionFlags& flags = options.submission;
  const std::size_t most = std::max({flags.num_samples, flags.best_of, flags.beams.num_beams});
  if (most <= options.service.max_rows) return;
  fail(ErrorCode::invalid_argument, "--max-rows", "expected at least ", most, ", as a line has so many texts, but got ",
       options.service.max_rows);
}

int run(const Options& options) {
  check(options.generation);
  check(options.submission, options.generation);
  check_rows(options);
  std::ifstream file;
  std::uintmax_t bytes = 0;
  if (options.input != "-") {
    file.open(options.input, std::ios::binary);
    std::error_code ignored;
    if (!file || std::filesystem::is_directory(options.input, ignored)) {
      fail(ErrorCode::not_found, options.input, "expected a file of requests, one JSON object a line");
    }
    bytes = std::filesystem::file_size(options.input, ignored);
    if (ignored) bytes = 0;
  }
  BatchOutput output(options.output);
  const auto service =
      engine::Service::start([&] { return load_engine(options.model); }, service_options(options.service));
  const auto stats = open_stats_socket(options.service.stats_socket, [&] { return service->stats(); });
  Batch batch(*service, options, options.input == "-" ? std::cin : file, output, bytes);
  return batch.run(options.service.max_rows + 4);  // some wait, so that no row is empty
}

}  // namespace

void add_batch(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("batch", "Answer a file of requests, many at once");
  verb.add_option(
          "-i,--input", options->input,
          "One JSON object a line: \"prompt\", \"prompt_ids\" or \"messages\", and what differs from the flags; - is "
          "standard input")
      ->type_name("FILE.jsonl")
      ->check(not_empty("a name"))
      ->required();
  verb.add_option("-o,--output", options->output,
                  "One JSON object a line, in the order in which they end; a file that is there is gone on with; - is "
                  "standard output")
      ->type_name("FILE.jsonl")
      ->check(not_empty("a name"))
      ->required();
  add_service_flags(verb, options->service);
  add_generation_flags(verb, options->generation);
  add_submission_flags(verb, options->submission);
  add_model_flags(verb, options->model);
  add_chat_template_flag(verb, options->model);
  verb.footer(
      "A line without \"seed\" takes --seed plus its number. Keys: id, max_tokens, min_tokens, temperature, top_k, "
      "top_p,\n"
      "min_p, repetition_penalty, frequency_penalty, presence_penalty, penalty_window, seed, stop, stop_ids, "
      "logit_bias,\n"
      "ignore_eos, n, best_of, num_beams, length_penalty, early_stopping, logprobs, prompt_logprobs, echo, priority, "
      "tools\n"
      "(beside messages), and one of grammar, regex (texts), json_schema (an object) and json_object (true or false). "
      "A "
      "wrong\n"
      "line is answered with its error and makes the exit code 2.\n"
      "Examples:\n"
      "  xlstm batch --input prompts.jsonl --output answers.jsonl --max-tokens 64\n"
      "  echo '{\"prompt\": \"Once\", \"n\": 3}' | xlstm batch --input - --output -");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
