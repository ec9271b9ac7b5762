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

/// The first lines of a job's function object, on their way from the caller's cache while a chunk is claimed.
inline void fetch_job(const void* context) noexcept {
  for (std::size_t line = 0; line < 512; line += 64) __builtin_prefetch(static_cast<const char*>(context) + line);
}

constexpr std::uint32_t remaining(std::uint64_t ticket) { return static_cast<std::uint32_t>(ticket); }
constexpr std::uint32_t epoch_of(std::uint64_t ticket) { return static_cast<std::uint32_t>(ticket >> 32); }

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

// Claims and runs the chunks that a share has left; returns how many it ran. The job's fields are read before the
// claim: if the compare-and-swap succeeds, its epoch is still the current one, so the fields belong to it (they change
// only after every chunk of the epoch is done).
std::uint32_t ThreadPool::run_share(std::size_t index) {
  Share& share = shares_[index];
  std::uint32_t claimed = 0;
  std::uint64_t ticket = share.ticket.load(std::memory_order_acquire);
  while (remaining(ticket) != 0) {
    const Function function = share.function.load(std::memory_order_relaxed);
    void* const context = share.context.load(std::memory_order_relaxed);
    const std::uint32_t end = share.end.load(std::memory_order_relaxed);
    if (share.ticket.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      function(context, end - remaining(ticket));
      ++claimed;
      ticket = share.ticket.load(std::memory_order_acquire);
    }
  }
  return claimed;
}

void ThreadPool::run(std::uint32_t count, Function function, const void* context) {
  const std::uint32_t done = done_.load(std::memory_order_relaxed);
  const std::uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  for (std::size_t i = shares_.size(); i-- > 0;) {  // the caller's last: the others are under way meanwhile
    const std::uint32_t begin = i == 0 ? 0 : share_end(i - 1, count), end = share_end(i, count);
    shares_[i].function.store(function, std::memory_order_relaxed);
    shares_[i].context.store(const_cast<void*>(context), std::memory_order_relaxed);
    shares_[i].end.store(end, std::memory_order_relaxed);
    shares_[i].ticket.store(std::uint64_t{epoch} << 32 | (end - begin), std::memory_order_release);
  }
  epoch_.store(epoch, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  std::uint32_t own = 0;
  for (std::size_t i = 0; i < shares_.size(); ++i) own += run_share(i);
  while (done_.load(std::memory_order_acquire) - done != count - own) cpu_relax();
}

void ThreadPool::work(std::size_t thread) {
  const std::atomic<std::uint64_t>& ticket = shares_[thread].ticket;
  std::uint32_t seen = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    std::uint32_t epoch = epoch_of(ticket.load(std::memory_order_acquire));
    for (int spin = 0; spin < kSpinRounds && epoch == seen; ++spin) {
      cpu_relax();
      epoch = epoch_of(ticket.load(std::memory_order_acquire));
    }
    if (epoch != seen) {
      seen = epoch;
      fetch_job(shares_[thread].context.load(std::memory_order_relaxed));
      for (std::size_t i = 0; i < shares_.size(); ++i) {
        const std::uint32_t claimed = run_share((thread + i) % shares_.size());
        if (claimed != 0) done_.fetch_add(claimed, std::memory_order_release);
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
