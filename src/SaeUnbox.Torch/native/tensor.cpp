// A tensor's life, description and memory, and the backward pass.
#include "shim.h"
#include "turn.h"
#include <torch/csrc/autograd/autograd.h>
#include <cstring>

SHIM_API void shim_tensor_free(void* tensor) { delete static_cast<at::Tensor*>(tensor); }

SHIM_API int64_t shim_tensor_dim(void* tensor) { return tensor_of(tensor).dim(); }
SHIM_API int64_t shim_tensor_numel(void* tensor) { return tensor_of(tensor).numel(); }
SHIM_API int32_t shim_tensor_dtype(void* tensor) { return static_cast<int32_t>(tensor_of(tensor).scalar_type()); }
SHIM_API int64_t shim_tensor_element_size(void* tensor) { return tensor_of(tensor).element_size(); }
SHIM_API int32_t shim_tensor_is_contiguous(void* tensor) { return tensor_of(tensor).is_contiguous(); }
SHIM_API int32_t shim_tensor_requires_grad(void* tensor) { return tensor_of(tensor).requires_grad(); }
SHIM_API int32_t shim_tensor_is_leaf(void* tensor) { return tensor_of(tensor).is_leaf(); }
SHIM_API int64_t shim_tensor_storage_offset(void* tensor) { return tensor_of(tensor).storage_offset(); }

SHIM_API void shim_tensor_device(void* tensor, int32_t* type, int32_t* index) {
  auto device = tensor_of(tensor).device();
  *type = static_cast<int32_t>(device.type());
  *index = device.index();
}

SHIM_API void shim_tensor_sizes(void* tensor, int64_t* sizes) {
  auto values = tensor_of(tensor).sizes();
  std::memcpy(sizes, values.data(), values.size() * sizeof(int64_t));
}

SHIM_API void shim_tensor_strides(void* tensor, int64_t* strides) {
  auto values = tensor_of(tensor).strides();
  std::memcpy(strides, values.data(), values.size() * sizeof(int64_t));
}

// The first element's address: only for a tensor in the processor's memory.
SHIM_API int32_t shim_tensor_data(void* tensor, void** data) {
  return guarded([&] {
    TORCH_CHECK(tensor_of(tensor).device().is_cpu(), "the tensor's memory is on ", tensor_of(tensor).device(), ", not on the CPU");
    *data = tensor_of(tensor).data_ptr();
  });
}

SHIM_API int32_t shim_tensor_set_requires_grad(void* tensor, int32_t required) {
  return guarded([&] { tensor_of(tensor).set_requires_grad(required != 0); });
}

// The accumulated gradient as a new handle, or null.
SHIM_API int32_t shim_tensor_grad(void* tensor, void** grad) {
  return guarded([&] {
    const auto& value = tensor_of(tensor).grad();
    *grad = value.defined() ? handle_of(value) : nullptr;
  });
}

SHIM_API int32_t shim_tensor_set_grad(void* tensor, void* grad) {
  return guarded([&] { tensor_of(tensor).mutable_grad() = grad ? tensor_of(grad) : at::Tensor(); });
}

// Another handle on the same tensor.
SHIM_API int32_t shim_tensor_alias(void* tensor, void** alias) {
  return guarded([&] { *alias = handle_of(tensor_of(tensor)); });
}

SHIM_API int32_t shim_backward(void* tensor, void* gradient, int32_t retain_graph, int32_t create_graph) {
  return guarded([&] {
    std::vector<at::Tensor> gradients;
    if (gradient) gradients.push_back(tensor_of(gradient));
    Turn turn;
    torch::autograd::backward({tensor_of(tensor)}, gradients, retain_graph != 0, create_graph != 0);
  });
}

SHIM_API int32_t shim_autograd_grad(void* const* outputs, int32_t output_count, void* const* inputs, int32_t input_count,
                                    void* const* grad_outputs, int32_t retain_graph, int32_t create_graph,
                                    int32_t allow_unused, void** results) {
  return guarded([&] {
    std::vector<at::Tensor> from, to, seeds;
    for (int32_t i = 0; i < output_count; i++) from.push_back(tensor_of(outputs[i]));
    for (int32_t i = 0; i < input_count; i++) to.push_back(tensor_of(inputs[i]));
    if (grad_outputs) for (int32_t i = 0; i < output_count; i++) seeds.push_back(tensor_of(grad_outputs[i]));
    Turn turn;
    auto gradients = torch::autograd::grad(from, to, seeds, retain_graph != 0, create_graph != 0, allow_unused != 0);
    for (int32_t i = 0; i < input_count; i++) results[i] = gradients[i].defined() ? handle_of(gradients[i]) : nullptr;
  });
}

// A tensor over memory that the caller pinned; release(context) is called when the last tensor on it is gone.
SHIM_API int32_t shim_tensor_from_memory(void* data, const int64_t* sizes, int32_t dims, int32_t dtype, void* context,
                                         void (*release)(void*), void** tensor) {
  return guarded([&] {
    *tensor = handle_of(at::from_blob(data, at::IntArrayRef(sizes, dims), [context, release](void*) { release(context); },
                                      at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype))));
  });
}
