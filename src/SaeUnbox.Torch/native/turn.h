// Each thread has a number of threads of its own (OpenMP keeps it), but the BLAS has one for the whole process, and how a product
// is split decides its last digits. So work takes turns: calls of one number run side by side, those of another after them.
#pragma once
#include <cstdint>

class Turn {
 public:
  Turn();
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
};

// For the calling thread.
void set_own_num_threads(int32_t threads);
