// A .tflite file by LiteRT's C interface, on the processor.

#include "litert/c/litert_common.h"
#include "litert/c/litert_compiled_model.h"
#include "litert/c/litert_environment.h"
#include "litert/c/litert_model.h"
#include "litert/c/litert_options.h"
#include "litert/c/litert_tensor_buffer.h"
#include "litert/c/litert_tensor_buffer_requirements.h"

#include "runtime.h"

const char* const kSuffix = ".tflite";

namespace {

void check(LiteRtStatus status, const char* what) {
  if (status != kLiteRtStatusOk) {
    throw std::runtime_error(std::string("LiteRT cannot ") + what + " (status " + std::to_string(status) + ")");
  }
}

class Litert : public Runtime {
 public:
  Litert(const std::string& path, const File& file, int) : file_(file) {
    check(LiteRtCreateEnvironment(0, nullptr, &environment_), "start");
    check(LiteRtCreateModelFromFile(environment_, path.c_str(), &model_), ("read " + path).c_str());
    LiteRtOptions options = nullptr;
    check(LiteRtCreateOptions(&options), "make options");
    LiteRtStatus status = LiteRtSetOptionsHardwareAccelerators(options, kLiteRtHwAcceleratorCpu);
    if (status == kLiteRtStatusOk) status = LiteRtCreateCompiledModel(environment_, model_, options, &compiled_);
    LiteRtDestroyOptions(options);
    check(status, ("open " + path).c_str());
    check(LiteRtGetModelSignature(model_, 0, &signature_), "read the signature");
    for (std::size_t i = 0; i < file.inputs.size(); i++) {
      const char* name = nullptr;
      check(LiteRtGetSignatureInputName(signature_, i, &name), "read an input's name");
      input_order_.push_back(at(file.inputs, name, i));
      LiteRtTensor tensor = nullptr;
      check(LiteRtGetSignatureInputTensorByIndex(signature_, i, &tensor), "read an input");
      LiteRtTensorBufferRequirements wanted = nullptr;
      check(LiteRtGetCompiledModelInputBufferRequirements(compiled_, 0, i, &wanted), "size an input");
      inputs_.push_back(buffer(tensor, wanted));
    }
    for (std::size_t i = 0; i < file.outputs.size(); i++) {
      const char* name = nullptr;
      check(LiteRtGetSignatureOutputName(signature_, i, &name), "read an output's name");
      output_order_.push_back(at(file.outputs, name, i));
      LiteRtTensor tensor = nullptr;
      check(LiteRtGetSignatureOutputTensorByIndex(signature_, i, &tensor), "read an output");
      LiteRtTensorBufferRequirements wanted = nullptr;
      check(LiteRtGetCompiledModelOutputBufferRequirements(compiled_, 0, i, &wanted), "size an output");
      outputs_.push_back(buffer(tensor, wanted));
    }
  }

  ~Litert() override {
    for (LiteRtTensorBuffer buffer : inputs_) LiteRtDestroyTensorBuffer(buffer);
    for (LiteRtTensorBuffer buffer : outputs_) LiteRtDestroyTensorBuffer(buffer);
    if (compiled_) LiteRtDestroyCompiledModel(compiled_);
    if (model_) LiteRtDestroyModel(model_);
    if (environment_) LiteRtDestroyEnvironment(environment_);
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    for (std::size_t i = 0; i < inputs_.size(); i++) {
      const Tensor& tensor = inputs[input_order_[i]];
      void* memory = nullptr;
      check(LiteRtLockTensorBuffer(inputs_[i], &memory, kLiteRtTensorBufferLockModeWrite), "write an input");
      std::memcpy(memory, tensor.bytes.data(), tensor.bytes.size());
      check(LiteRtUnlockTensorBuffer(inputs_[i]), "write an input");
    }
    check(LiteRtRunCompiledModel(compiled_, 0, inputs_.size(), inputs_.data(), outputs_.size(), outputs_.data()), "run");
    std::vector<Tensor> outputs(outputs_.size());
    for (std::size_t i = 0; i < outputs_.size(); i++) {
      const End& end = file_.outputs[output_order_[i]];
      Tensor tensor(end.type, end.shape);
      void* memory = nullptr;
      check(LiteRtLockTensorBuffer(outputs_[i], &memory, kLiteRtTensorBufferLockModeRead), "read an output");
      std::memcpy(tensor.bytes.data(), memory, tensor.bytes.size());
      check(LiteRtUnlockTensorBuffer(outputs_[i]), "read an output");
      outputs[output_order_[i]] = std::move(tensor);
    }
    return outputs;
  }

 private:
  // Where an end is in the file's list: by name, or by its place where LiteRT knows it by another.
  static std::size_t at(const std::vector<End>& ends, const std::string& name, std::size_t place) {
    for (std::size_t i = 0; i < ends.size(); i++) if (ends[i].name == name) return i;
    return place;
  }

  LiteRtTensorBuffer buffer(LiteRtTensor tensor, LiteRtTensorBufferRequirements wanted) {
    LiteRtRankedTensorType type;
    LiteRtTensorBuffer made = nullptr;
    check(LiteRtGetRankedTensorType(tensor, &type), "read a tensor's type");
    check(LiteRtCreateManagedTensorBufferFromRequirements(environment_, &type, wanted, &made), "make a tensor");
    return made;
  }

  const File& file_;
  LiteRtEnvironment environment_ = nullptr;
  LiteRtModel model_ = nullptr;
  LiteRtCompiledModel compiled_ = nullptr;
  LiteRtSignature signature_ = nullptr;
  std::vector<std::size_t> input_order_, output_order_;
  std::vector<LiteRtTensorBuffer> inputs_, outputs_;
};

}  // namespace

std::unique_ptr<Runtime> open_runtime(const std::string& path, const File& file, int threads) {
  return std::make_unique<Litert>(path, file, threads);
}
