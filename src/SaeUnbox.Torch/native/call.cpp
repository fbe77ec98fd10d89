// Operators by name: the dispatcher's boxed calling convention, with the schema's defaults for arguments left out.
#include "shim.h"
#include "turn.h"
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

namespace {

template <typename T>
std::vector<T> list_of(const Argument& argument) {
  auto values = static_cast<const T*>(argument.pointer);
  return std::vector<T>(values, values + argument.length);
}

c10::IValue tensors_of(const Argument& argument) {
  c10::List<at::Tensor> list;
  list.reserve(argument.length);
  auto handles = static_cast<void* const*>(argument.pointer);
  for (int32_t i = 0; i < argument.length; i++) list.push_back(tensor_of(handles[i]));
  return list;
}

c10::IValue optional_tensors_of(const Argument& argument) {
  // c10's optional in older versions, the standard library's in newer ones.
  using List = decltype(std::declval<const c10::IValue&>().toOptionalTensorList());
  List list;
  list.reserve(argument.length);
  auto handles = static_cast<void* const*>(argument.pointer);
  for (int32_t i = 0; i < argument.length; i++)
    list.push_back(handles[i] ? List::value_type(tensor_of(handles[i])) : List::value_type());
  return list;
}

c10::IValue value_of(const Argument& argument) {
  switch (argument.kind) {
    case ArgumentKind::None: return c10::IValue();
    case ArgumentKind::Tensor: return tensor_of(const_cast<void*>(argument.pointer));
    case ArgumentKind::Int: return argument.integer;
    case ArgumentKind::Double: return argument.real;
    case ArgumentKind::Bool: return argument.integer != 0;
    case ArgumentKind::IntList: return list_of<int64_t>(argument);
    case ArgumentKind::DoubleList: return list_of<double>(argument);
    case ArgumentKind::TensorList: return tensors_of(argument);
    case ArgumentKind::OptionalTensorList: return optional_tensors_of(argument);
    case ArgumentKind::Device:
      return c10::Device(static_cast<c10::DeviceType>(argument.integer), static_cast<c10::DeviceIndex>(argument.length));
    case ArgumentKind::Generator: return *static_cast<const at::Generator*>(argument.pointer);
    case ArgumentKind::String: return std::string(static_cast<const char*>(argument.pointer), argument.length);
  }
  TORCH_CHECK(false, "an argument of unknown kind ", static_cast<int32_t>(argument.kind));
}

// Tensors of a result in order; a list of tensors counts as its members.
void collect(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) tensors.push_back(value.toTensor());
  else if (value.isTensorList()) for (const auto& tensor : value.toTensorVector()) tensors.push_back(tensor);
  else TORCH_CHECK(false, "a result of kind ", value.tagKind(), " is not supported");
}

}  // namespace

// Finds an operator such as ("aten::add", "Tensor"); *handle stays null where this libtorch has none of that name.
SHIM_API int32_t shim_operator(const char* name, const char* overload, void** handle) {
  return guarded([&] {
    auto found = c10::Dispatcher::singleton().findSchema({name, overload});
    *handle = found ? new c10::OperatorHandle(*found) : nullptr;
  });
}

// Calls an operator. Up to `capacity` result tensors are returned as handles that the caller owns; *count says how many there are.
SHIM_API int32_t shim_call(void* handle, const Argument* arguments, int32_t length, void** results, int32_t capacity,
                           int32_t* count) {
  return guarded([&] {
    const auto& op = *static_cast<c10::OperatorHandle*>(handle);
    const auto& parameters = op.schema().arguments();
    TORCH_CHECK(length <= static_cast<int32_t>(parameters.size()), "takes ", parameters.size(), " arguments, got ", length);
    torch::jit::Stack stack;
    stack.reserve(parameters.size());
    for (int32_t i = 0; i < length; i++) stack.push_back(value_of(arguments[i]));
    for (size_t i = length; i < parameters.size(); i++) {
      const auto& fallback = parameters[i].default_value();
      TORCH_CHECK(fallback, "argument ", parameters[i].name(), " is missing");
      stack.push_back(*fallback);
    }
    {
      Turn turn;
      op.callBoxed(stack);
    }
    std::vector<at::Tensor> tensors;
    for (const auto& value : stack) collect(value, tensors);
    TORCH_CHECK(static_cast<int32_t>(tensors.size()) <= capacity, "returned ", tensors.size(), " tensors, expected at most ", capacity);
    *count = static_cast<int32_t>(tensors.size());
    for (size_t i = 0; i < tensors.size(); i++) results[i] = handle_of(std::move(tensors[i]));
  });
}
