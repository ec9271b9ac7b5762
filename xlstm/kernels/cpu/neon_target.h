// Instruction sets of aarch64 that Highway 1.0.3 has no target for: how a function names them, and their instructions.
#pragma once

#if defined(__clang__)
#define XLSTM_TARGET_DOTPROD "dotprod"
#define XLSTM_TARGET_I8MM "dotprod,i8mm"
#else
#define XLSTM_TARGET_DOTPROD "arch=armv8.2-a+dotprod"
#define XLSTM_TARGET_I8MM "arch=armv8.2-a+dotprod+i8mm"
#endif

/// sum (4 int32) += products of bytes: sdot, udot, usdot, usmmla or ummla. Written out, as clang 14 has intrinsics for
/// them only where a whole file is compiled for such a CPU, and g++ 12 moves their sums from register to register.
#define XLSTM_ADD_PRODUCTS(instruction, sum, a, b) \
  asm(instruction " %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b))

/// The same by the four bytes in one lane of b.
#define XLSTM_ADD_PRODUCTS_LANE(instruction, sum, a, b, lane) \
  asm(instruction " %0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(a), "w"(b), "n"(lane))
