#include "xlstm/quantize/rewrite.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "xlstm/base/thread_pool.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/checkpoint/shard_plan.h"
#include "xlstm/quantize/first_error.h"

namespace xlstm::quantize {
namespace {

// A thread's share of a tensor at a time: large enough for the disk, small beside any memory.
constexpr std::int64_t kChunkElements = std::int64_t{1} << 19;
// Where arithmetic and not the disk is what takes time, small matrices are to be shared out as well.
constexpr std::int64_t kSearchedElements = std::int64_t{1} << 15;

// One file: which rewrites are in it, and where their outputs stand.
struct Shard {
  std::vector<const Rewrite*> rewrites;
  std::vector<TensorView> tensors;
  std::map<std::string, std::size_t> index;  // of a tensor by name
};

std::vector<Shard> make_shards(const std::vector<Rewrite>& rewrites, std::size_t max_bytes) {
  std::vector<std::size_t> bytes;
  for (const Rewrite& rewrite : rewrites) {
    std::size_t& sum = bytes.emplace_back(0);
    for (const TensorView& output : outputs_of(rewrite)) sum += output.nbytes();
  }
  std::vector<Shard> shards;
  std::size_t next = 0;
  for (const std::size_t end : checkpoint::cut_into_shards(bytes, max_bytes)) {
    Shard& shard = shards.emplace_back();
    for (; next < end; ++next) {
      shard.rewrites.push_back(&rewrites[next]);
      for (TensorView& output : outputs_of(rewrites[next])) shard.tensors.push_back(std::move(output));
    }
    checkpoint::order_for_alignment(shard.tensors);
    for (std::size_t i = 0; i < shard.tensors.size(); ++i) shard.index[shard.tensors[i].name] = i;
  }
  return shards;
}

void require_disk(const std::vector<Shard>& shards, const std::filesystem::path& directory) {
  std::uintmax_t needed = 0;
  for (const Shard& shard : shards) {
    for (const TensorView& tensor : shard.tensors) needed += tensor.nbytes();
  }
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (error || space.available >= needed) return;
  checkpoint::refuse(ErrorCode::overloaded, directory.parent_path().string(), "expected ", needed,
                     " bytes of room on the disk but got ", space.available);
}

class Writer {
 public:
  Writer(const checkpoint::FileSource& files, const Callbacks& callbacks, std::int64_t total_elements)
      : files_(files), callbacks_(callbacks), total_(total_elements) {}

  void write(const Shard& shard, const std::filesystem::path& path, const Shards& options) {
    checkpoint::SafetensorsWriter file(path, shard.tensors, options.metadata);
    for (const Rewrite* rewrite : shard.rewrites) {
      write(*rewrite, shard, file);
      done_ += rewrite->size();
      if (callbacks_.on_progress) callbacks_.on_progress(static_cast<double>(done_) / static_cast<double>(total_));
    }
    file.commit();
  }

 private:
  void write(const Rewrite& rewrite, const Shard& shard, checkpoint::SafetensorsWriter& file) {
    std::vector<Output> outputs;
    for (const TensorView& output : outputs_of(rewrite)) {
      outputs.push_back({shard.index.at(output.name), bytes_per_unit(rewrite, output)});
    }
    const std::int64_t units = rewrite.size() / rewrite.unit();
    const bool searched = rewrite.format && rewrite.scales == Scales::search;
    const std::int64_t step =
        std::max<std::int64_t>(1, (searched ? kSearchedElements : kChunkElements) / rewrite.unit());
    FirstError error;
    pool_.parallel_for((units + step - 1) / step, [&](std::int64_t i) {
      error.guard([&] {
        if (callbacks_.cancel != nullptr && *callbacks_.cancel) fail(ErrorCode::cancelled, "write", "cancelled");
        write_units(rewrite, i * step, std::min(step, units - i * step), outputs, file);
      });
    });
    error.rethrow();
  }

  struct Output {
    std::size_t index;  // in the file
    std::size_t bytes_per_unit;
  };

  static std::size_t bytes_per_unit(const Rewrite& rewrite, const TensorView& tensor) {
    return tensor.nbytes() / static_cast<std::size_t>(rewrite.size() / rewrite.unit());
  }

  void write_units(const Rewrite& rewrite, std::int64_t first, std::int64_t count, const std::vector<Output>& outputs,
                   checkpoint::SafetensorsWriter& file) {
    const TensorView& source = rewrite.source.weight;
    const std::size_t source_bytes = bytes_per_unit(rewrite, source), at = static_cast<std::size_t>(first);
    const std::span stored(source.data + at * source_bytes, static_cast<std::size_t>(count) * source_bytes);
    if (rewrite.is_copy()) {
      file.write(outputs[0].index, at * source_bytes, stored);
    } else {
      thread_local Chunk chunk;
      make_chunk(rewrite, first * rewrite.unit(), count * rewrite.unit(), chunk);
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        file.write(outputs[i].index, at * outputs[i].bytes_per_unit, chunk.bytes[i]);
      }
    }
    files_.release(stored);
  }

  const checkpoint::FileSource& files_;
  const Callbacks& callbacks_;
  std::int64_t total_, done_ = 0;
  ThreadPool pool_;
};

}  // namespace

std::map<std::string, TensorView> write_tensors(const std::vector<Rewrite>& rewrites,
                                                const checkpoint::FileSource& files,
                                                const std::filesystem::path& directory, const Shards& options,
                                                const Callbacks& callbacks) {
  const std::vector<Shard> shards = make_shards(rewrites, options.max_bytes);
  require_disk(shards, directory);
  const std::vector<std::string> names = checkpoint::shard_names(shards.size(), options.numbered);
  std::int64_t elements = 0;
  for (const Rewrite& rewrite : rewrites) elements += rewrite.size();
  Writer writer(files, callbacks, elements);
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> weight_map;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    writer.write(shards[i], directory / names[i], options);
    for (const TensorView& tensor : shards[i].tensors) {
      tensors.emplace(tensor.name, tensor);
      weight_map.emplace(tensor.name, names[i]);
      bytes += tensor.nbytes();
    }
  }
  if (shards.size() > 1 && !options.numbered) checkpoint::write_index(directory, weight_map, bytes);
  return tensors;
}

}  // namespace xlstm::quantize
