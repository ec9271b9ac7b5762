#include "apps/server/api/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <limits>
#include <utility>

#include "apps/server/api/state_store.h"

namespace xlstm::server::api {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// The engine's counters are its own; they are put into families when somebody asks.
class EngineFamilies final : public prometheus::Collectable {
 public:
  EngineFamilies(const engine::Service& service, const StateStore& states) : service_(service), states_(states) {}

  std::vector<MetricFamily> Collect() const override {
    const engine::Stats stats = service_.stats();
    std::vector<MetricFamily> made;
    add_requests(made, stats);
    add_cache(made, stats);
    add_states(made, stats);
    add_times(made, stats);
    return made;
  }

 private:
  static void add(std::vector<MetricFamily>& families, MetricType type, const std::string& name, const char* help,
                  std::size_t value) {
    ClientMetric metric;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
    families.push_back({"xlstm_" + name, help, type, {std::move(metric)}});
  }
  static void counter(std::vector<MetricFamily>& families, const std::string& name, const char* help,
                      std::size_t value) {
    add(families, MetricType::Counter, name + "_total", help, value);
  }
  static void gauge(std::vector<MetricFamily>& families, const std::string& name, const char* help, std::size_t value) {
    add(families, MetricType::Gauge, name, help, value);
  }
  static void histogram(std::vector<MetricFamily>& families, const std::string& name, const char* help,
                        const scheduler::Histogram& from) {
    ClientMetric metric;
    metric.histogram.sample_count = from.count();
    metric.histogram.sample_sum = from.sum();
    std::size_t below = 0;
    for (std::size_t i = 0; i < from.buckets().size(); ++i) {
      below += from.buckets()[i];
      metric.histogram.bucket.push_back({below, scheduler::Histogram::upper(i)});
    }
    families.push_back({"xlstm_" + name + "_seconds", help, MetricType::Histogram, {std::move(metric)}});
  }

  static void add_requests(std::vector<MetricFamily>& made, const engine::Stats& stats) {
    gauge(made, "requests_running", "Requests with the right to a state.", stats.running);
    gauge(made, "requests_waiting", "Requests in the queue.", stats.waiting);
    gauge(made, "decode_rows", "Sequences in the last decode pass.", stats.rows);
    counter(made, "requests_submitted", "Requests taken.", stats.submitted);
    counter(made, "requests_refused", "Requests refused for a full queue.", stats.refused);
    counter(made, "requests_completed", "Requests that ended by themselves.", stats.completed);
    counter(made, "requests_cancelled", "Requests that were cancelled.", stats.cancelled);
    counter(made, "requests_failed", "Requests that a fault ended.", stats.failed);
    counter(made, "requests_drained", "Requests that were drained to go on elsewhere.", stats.drained);
    counter(made, "steps", "Steps of the engine.", stats.steps);
    counter(made, "prefill_tokens", "Tokens of prompts that were read.", stats.prefill_tokens);
    counter(made, "decode_tokens", "Tokens that were decoded.", stats.decode_tokens);
    counter(made, "generated_tokens", "Tokens that were drawn.", stats.generated_tokens);
    counter(made, "preemptions", "Turns taken from a sequence for another.", stats.preemptions);
  }
  static void add_cache(std::vector<MetricFamily>& made, const engine::Stats& stats) {
    counter(made, "prefix_cache_queries", "Prompts looked up.", stats.cache_queries);
    counter(made, "prefix_cache_hits", "Prompts of which a beginning was found.", stats.cache_hits);
    counter(made, "prefix_cache_tokens", "Tokens that were not read again.", stats.cached_tokens);
    counter(made, "prefix_cache_evictions", "Snapshots that gave way.", stats.cache_evictions);
    gauge(made, "prefix_cache_snapshots", "Snapshots in memory.", stats.cached_snapshots);
    gauge(made, "prefix_cache_bytes", "Bytes of them.", stats.cache_bytes);
    gauge(made, "store_snapshots", "Snapshots on disk.", stats.store.snapshots);
    gauge(made, "store_bytes", "Bytes on disk.", stats.store.bytes);
    counter(made, "store_writes", "Snapshots written to disk.", stats.store.writes);
    counter(made, "store_reads", "Snapshots read from disk.", stats.store.reads);
    counter(made, "store_dropped", "Snapshots that were not written.", stats.store.dropped);
    counter(made, "store_damaged", "Snapshots found unreadable.", stats.store.damaged);
  }
  void add_states(std::vector<MetricFamily>& made, const engine::Stats& stats) const {
    gauge(made, "state_bytes", "Bytes of all states of requests and the prefix cache.", stats.state_bytes);
    gauge(made, "state_bytes_limit", "What they may take.", stats.max_state_bytes);
    counter(made, "state_copies", "States written apart.", stats.state_copies);
    counter(made, "state_forks", "States handed on without a copy.", stats.state_forks);
    counter(made, "state_restores", "Snapshots that came back from disk.", stats.restores);
    counter(made, "state_swaps_out", "States that gave way to others.", stats.swaps_out);
    counter(made, "state_swaps_in", "States that came back.", stats.swaps_in);
    gauge(made, "kept_states", "States that clients keep.", states_.size());
    gauge(made, "kept_state_bytes", "Bytes of them.", states_.bytes());
  }
  static void add_times(std::vector<MetricFamily>& made, const engine::Stats& stats) {
    histogram(made, "queue", "From submission to the first piece of the prompt.", stats.queue_seconds);
    histogram(made, "time_to_first_token", "From submission to the first token.", stats.first_token_seconds);
    histogram(made, "inter_token", "Between two tokens of a text.", stats.inter_token_seconds);
    histogram(made, "request", "From submission to the end.", stats.request_seconds);
  }

  const engine::Service& service_;
  const StateStore& states_;
};

/// Tells the metrics of the end of an answer, whoever ends it.
class CountedExchange final : public Exchange {
 public:
  CountedExchange(std::shared_ptr<Exchange> inner, Metrics& metrics, std::string route)
      : inner_(std::move(inner)), metrics_(metrics), route_(std::move(route)) {}
  ~CountedExchange() override { note(); }

  const HttpRequest& request() const noexcept override { return inner_->request(); }
  void respond(HttpResponse response) override {
    status_ = response.status;
    note();
    inner_->respond(std::move(response));
  }
  void begin(HttpResponse head) override {
    status_ = head.status;
    inner_->begin(std::move(head));
  }
  void write(std::string part) override { inner_->write(std::move(part)); }
  void end() override {
    note();
    inner_->end();
  }
  std::size_t pending_bytes() const noexcept override { return inner_->pending_bytes(); }
  void on_gone(std::function<void()> callback) override { inner_->on_gone(std::move(callback)); }

 private:
  void note() {
    if (noted_.exchange(true)) return;
    metrics_.count(route_, status_, std::chrono::steady_clock::now() - begin_);
  }

  std::shared_ptr<Exchange> inner_;
  Metrics& metrics_;
  std::string route_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::atomic<int> status_ = 499;  // the client went before there was an answer
  std::atomic<bool> noted_ = false;
};

}  // namespace

struct Metrics::Families {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("xlstm_http_requests_total")
                                                          .Help("Answers, by route and status.")
                                                          .Register(*registry);
  prometheus::Family<prometheus::Histogram>& seconds = prometheus::BuildHistogram()
                                                           .Name("xlstm_http_request_seconds")
                                                           .Help("From a request to the end of its answer, by route.")
                                                           .Register(*registry);
  EngineFamilies engine;

  Families(const engine::Service& service, const StateStore& states) : engine(service, states) {}
};

Metrics::Metrics(const engine::Service& service, const StateStore& states)
    : families_(std::make_unique<Families>(service, states)) {}

Metrics::~Metrics() = default;

std::string Metrics::text() const {
  std::vector<MetricFamily> all = families_->engine.Collect();
  for (MetricFamily& family : families_->registry->Collect()) all.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(all);
}

void Metrics::count(const std::string& route, int status, std::chrono::duration<double> seconds) {
  static const prometheus::Histogram::BucketBoundaries kBounds = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3,
                                                                  1,     3,     10,   30,   100, 300};
  families_->requests.Add({{"route", route}, {"status", std::to_string(status)}}).Increment();
  families_->seconds.Add({{"route", route}}, kBounds).Observe(seconds.count());
}

Handler Metrics::counted(Handler handler, const std::string& route) {
  return [this, handler = std::move(handler), route](std::shared_ptr<Exchange> exchange) {
    handler(std::make_shared<CountedExchange>(std::move(exchange), *this, route));
  };
}

}  // namespace xlstm::server::api
