// Everything that is not a tensor: the last error, threads, modes, generators, CUDA.
#include "shim.h"
#include "turn.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>
#include <mutex>
#include <string>

namespace {
thread_local std::string last_error;

// The hook's name in newer versions, else that of older ones.
template <typename Hooks>
auto device_count(const Hooks& hooks, int) -> decltype(hooks.deviceCount()) { return hooks.deviceCount(); }
template <typename Hooks>
auto device_count(const Hooks& hooks, long) -> decltype(hooks.getNumGPUs()) { return hooks.getNumGPUs(); }
}

int32_t fail(const char* message) noexcept {
  try { last_error = message; } catch (...) { }
  return 1;
}

SHIM_API const char* shim_last_error() { return last_error.c_str(); }
SHIM_API const char* shim_version() { return TORCH_VERSION; }

SHIM_API void shim_set_num_threads(int32_t threads) { set_own_num_threads(threads); }
SHIM_API int32_t shim_get_num_threads() { return at::get_num_threads(); }
SHIM_API void shim_set_num_interop_threads(int32_t threads) { at::set_num_interop_threads(threads); }
SHIM_API int32_t shim_get_num_interop_threads() { return at::get_num_interop_threads(); }

SHIM_API int32_t shim_grad_enabled() { return c10::GradMode::is_enabled(); }
SHIM_API void shim_set_grad_enabled(int32_t enabled) { c10::GradMode::set_enabled(enabled != 0); }
SHIM_API void* shim_inference_mode_enter(int32_t enabled) { return new c10::InferenceMode(enabled != 0); }
SHIM_API void shim_inference_mode_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }
SHIM_API int32_t shim_inference_mode_enabled() { return c10::InferenceMode::is_enabled(); }

SHIM_API int32_t shim_manual_seed(uint64_t seed) {
  return guarded([&] { at::manual_seed(seed); });
}

SHIM_API int32_t shim_generator_new(uint64_t seed, int32_t device_type, int32_t device_index, void** generator) {
  return guarded([&] {
    c10::Device device(static_cast<c10::DeviceType>(device_type), static_cast<c10::DeviceIndex>(device_index));
    auto made = device.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>(seed)
                                : at::globalContext().defaultGenerator(device).clone();
    std::lock_guard<std::mutex> lock(made.mutex());
    made.set_current_seed(seed);
    *generator = new at::Generator(std::move(made));
  });
}

SHIM_API int32_t shim_generator_seed(void* generator, uint64_t seed) {
  return guarded([&] {
    auto& target = *static_cast<at::Generator*>(generator);
    std::lock_guard<std::mutex> lock(target.mutex());
    target.set_current_seed(seed);
  });
}

SHIM_API uint64_t shim_generator_current_seed(void* generator) { return static_cast<at::Generator*>(generator)->current_seed(); }
SHIM_API void shim_generator_free(void* generator) { delete static_cast<at::Generator*>(generator); }

SHIM_API int32_t shim_generator_get_state(void* generator, void** state) {
  return guarded([&] { *state = handle_of(static_cast<at::Generator*>(generator)->get_state()); });
}

SHIM_API int32_t shim_generator_set_state(void* generator, void* state) {
  return guarded([&] { static_cast<at::Generator*>(generator)->set_state(tensor_of(state)); });
}

SHIM_API int32_t shim_cuda_available() { return at::globalContext().hasCUDA(); }
SHIM_API int32_t shim_cuda_device_count() {
  return at::globalContext().hasCUDA() ? static_cast<int32_t>(device_count(at::detail::getCUDAHooks(), 0)) : 0;
}
SHIM_API int32_t shim_cudnn_available() { return at::globalContext().hasCUDA() && at::detail::getCUDAHooks().hasCuDNN(); }
SHIM_API int32_t shim_cuda_synchronize(int32_t device_index) {
  return guarded([&] { at::detail::getCUDAHooks().deviceSynchronize(device_index); });
}

SHIM_API int32_t shim_matmul_tf32() { return at::globalContext().allowTF32CuBLAS(); }
SHIM_API void shim_set_matmul_tf32(int32_t allowed) { at::globalContext().setAllowTF32CuBLAS(allowed != 0); }
SHIM_API int32_t shim_cudnn_tf32() { return at::globalContext().allowTF32CuDNN(); }
SHIM_API void shim_set_cudnn_tf32(int32_t allowed) { at::globalContext().setAllowTF32CuDNN(allowed != 0); }
