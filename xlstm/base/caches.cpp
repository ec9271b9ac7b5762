#include "xlstm/base/caches.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace xlstm {
namespace {

namespace fs = std::filesystem;

// "48K" or "2M"; 0 when there is no such file.
std::size_t read_size(const fs::path& path) {
  std::ifstream file(path);
  std::size_t size = 0;
  char unit = ' ';
  if (!(file >> size)) return 0;
  file >> unit;
  return unit == 'K' ? size << 10 : unit == 'M' ? size << 20 : size;
}

std::string read_word(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

CacheSizes read_sysfs(const fs::path& caches) {
  CacheSizes sizes;
  for (int i = 0; fs::exists(caches / ("index" + std::to_string(i))); ++i) {
    const fs::path cache = caches / ("index" + std::to_string(i));
    if (read_word(cache / "type") == "Instruction") continue;
    const std::string level = read_word(cache / "level");
    std::size_t* const size = level == "1" ? &sizes.l1d : level == "2" ? &sizes.l2 : level == "3" ? &sizes.l3 : nullptr;
    if (size != nullptr) *size = read_size(cache / "size");
  }
  return sizes;
}

// An unknown name is -1, an unknown size 0.
std::size_t ask_library(int name) {
  const long size = ::sysconf(name);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

}  // namespace

CacheSizes cache_sizes(const fs::path& root) {
  CacheSizes sizes = read_sysfs(root / "sys/devices/system/cpu/cpu0/cache");
  if (sizes.l1d == 0) {
    sizes = {ask_library(_SC_LEVEL1_DCACHE_SIZE), ask_library(_SC_LEVEL2_CACHE_SIZE),
             ask_library(_SC_LEVEL3_CACHE_SIZE)};
  }
  return sizes;
}

}  // namespace xlstm
