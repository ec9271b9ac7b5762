// Large memory that asks for huge pages: weights made in memory read as fast as the machine can.
#pragma once

#include <cstddef>
#include <memory>

namespace xlstm {

/// `bytes` zeroed bytes that start on a huge page (2 MiB); unmapped when the last copy goes. Huge pages are asked for,
/// not promised. Pages are claimed when they are first touched, so ask for available memory first. Errors: overloaded
/// (no address space).
std::shared_ptr<std::byte> allocate_huge(std::size_t bytes);

}  // namespace xlstm
