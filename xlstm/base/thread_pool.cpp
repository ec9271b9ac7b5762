#include "xlstm/base/thread_pool.h"

#include "xlstm/base/cores.h"

namespace xlstm {
namespace {

// A worker spins this many rounds before it sleeps: about 100 us, longer than the serial gaps inside a decode step.
constexpr int kSpinRounds = 4000;

inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // drains the pipeline, tens of cycles as x86's pause; "yield" is a nop on most cores
#endif
}

constexpr std::uint32_t remaining(std::uint64_t ticket) { return static_cast<std::uint32_t>(ticket); }

}  // namespace

ThreadPool::ThreadPool(int num_threads)
    : shares_(static_cast<std::size_t>(num_threads > 0 ? num_threads : available_cores())) {
  for (std::size_t i = 1; i < shares_.size(); ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

// One past the last chunk of a share.
std::uint32_t ThreadPool::share_end(std::size_t share, std::uint32_t count) const {
  return static_cast<std::uint32_t>((share + 1) * std::uint64_t{count} / shares_.size());
}

// Claims and runs one chunk. The job's fields are read before the claim: if the compare-and-swap succeeds, its epoch is
// still the current one, so the fields belong to it (they change only after every chunk of the epoch is done).
bool ThreadPool::claim_from(std::size_t share) {
  std::atomic<std::uint64_t>& place = shares_[share].ticket;
  std::uint64_t ticket = place.load(std::memory_order_acquire);
  while (remaining(ticket) != 0) {
    const Function function = function_.load(std::memory_order_relaxed);
    void* const context = context_.load(std::memory_order_relaxed);
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (place.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      function(context, share_end(share, count) - remaining(ticket));
      done_.fetch_add(1, std::memory_order_release);
      return true;
    }
  }
  return false;
}

// From the thread's own share, then from those after it.
bool ThreadPool::claim_any(std::size_t thread) {
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    if (claim_from((thread + i) % shares_.size())) return true;
  }
  return false;
}

void ThreadPool::run(std::uint32_t count, Function function, const void* context) {
  done_.store(0, std::memory_order_relaxed);
  function_.store(function, std::memory_order_relaxed);
  context_.store(const_cast<void*>(context), std::memory_order_relaxed);
  count_.store(count, std::memory_order_relaxed);
  const std::uint64_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  std::uint32_t begin = 0;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    const std::uint32_t end = share_end(i, count);
    shares_[i].ticket.store(epoch << 32 | (end - begin), std::memory_order_release);
    begin = end;
  }
  epoch_.store(epoch, std::memory_order_seq_cst);  // not before: a worker whose share is not open would take others'
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  while (claim_any(0)) {
  }
  while (done_.load(std::memory_order_acquire) != count) cpu_relax();
}

void ThreadPool::work(std::size_t thread) {
  std::uint64_t seen = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    std::uint64_t epoch = epoch_.load(std::memory_order_acquire);
    for (int spin = 0; spin < kSpinRounds && epoch == seen; ++spin) {
      cpu_relax();
      epoch = epoch_.load(std::memory_order_acquire);
    }
    if (epoch != seen) {
      seen = epoch;
      while (claim_any(thread)) {
      }
      continue;
    }
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return stop_.load() || epoch_.load(std::memory_order_seq_cst) != seen; });
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }
}

}  // namespace xlstm
