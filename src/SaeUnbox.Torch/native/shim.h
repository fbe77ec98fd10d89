// Plain C ABI over libtorch: one entry dispatches any ATen operator by name; the rest is memory, autograd and the runtime.
#pragma once
#include <ATen/ATen.h>
#include <cstdint>

#define SHIM_API extern "C" __attribute__((visibility("default")))

// What an Argument's payload means. The C# enum ArgumentKind holds the same numbers.
enum class ArgumentKind : int32_t {
  None = 0, Tensor = 1, Int = 2, Double = 3, Bool = 4, IntList = 5, TensorList = 6,
  OptionalTensorList = 7, Device = 8, Generator = 9, String = 10, DoubleList = 11,
};

// One operator argument: a number in place, or a pointer to `length` values that the caller keeps alive.
struct Argument {
  ArgumentKind kind;
  int32_t length;
  union {
    int64_t integer;
    double real;
    const void* pointer;
  };
};

// Runs the body and turns any native exception into a message kept for shim_last_error. 0 means success.
int32_t fail(const char* message) noexcept;

template <typename Body>
int32_t guarded(Body&& body) noexcept {
  try {
    body();
    return 0;
  } catch (const c10::Error& error) {
    return fail(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return fail(error.what());
  } catch (...) {
    return fail("an unknown native exception");
  }
}

inline at::Tensor& tensor_of(void* handle) { return *static_cast<at::Tensor*>(handle); }
inline void* handle_of(at::Tensor tensor) { return new at::Tensor(std::move(tensor)); }
