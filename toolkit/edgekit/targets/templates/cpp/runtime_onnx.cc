// A .onnx file by ONNX Runtime's C interface.

#include <onnxruntime_c_api.h>

#include "runtime.h"

const char* const kSuffix = ".onnx";

namespace {

const OrtApi& api() {
  static const OrtApi* found = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (!found) throw std::runtime_error("this libonnxruntime is older than the headers of the build");
  return *found;
}

void check(OrtStatus* status) {
  if (!status) return;
  std::string message = api().GetErrorMessage(status);
  api().ReleaseStatus(status);
  throw std::runtime_error("ONNX Runtime: " + message);
}

ONNXTensorElementDataType element(Type type) {
  switch (type) {
    case Type::float32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case Type::float64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    case Type::int8: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case Type::uint8: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case Type::int16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16;
    case Type::uint16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16;
    case Type::int32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case Type::uint32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32;
    case Type::int64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case Type::uint64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64;
    default: return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
  }
}

class Onnx : public Runtime {
 public:
  Onnx(const std::string& path, const File& file, int threads) : file_(file) {
    check(api().CreateEnv(ORT_LOGGING_LEVEL_ERROR, "model", &environment_));
    OrtSessionOptions* options = nullptr;
    check(api().CreateSessionOptions(&options));
    OrtStatus* status = api().SetIntraOpNumThreads(options, threads);
    if (!status) status = api().CreateSession(environment_, path.c_str(), options, &session_);
    api().ReleaseSessionOptions(options);
    check(status);
    check(api().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
  }

  ~Onnx() override {
    api().ReleaseMemoryInfo(memory_);
    api().ReleaseSession(session_);
    api().ReleaseEnv(environment_);
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    Values given(file_.inputs.size()), got(file_.outputs.size());
    std::vector<const char*> input_names, output_names;
    for (std::size_t i = 0; i < inputs.size(); i++) {
      const Tensor& tensor = inputs[i];
      check(api().CreateTensorWithDataAsOrtValue(
          memory_, const_cast<std::uint8_t*>(tensor.bytes.data()), tensor.bytes.size(), tensor.shape.data(),
          tensor.shape.size(), element(tensor.type), &given.values[i]));
      input_names.push_back(file_.inputs[i].name.c_str());
    }
    for (const End& end : file_.outputs) output_names.push_back(end.name.c_str());
    check(api().Run(session_, nullptr, input_names.data(), given.values.data(), given.values.size(),
                    output_names.data(), output_names.size(), got.values.data()));
    std::vector<Tensor> outputs;
    for (std::size_t i = 0; i < got.values.size(); i++) outputs.push_back(copied(got.values[i], file_.outputs[i].type));
    return outputs;
  }

 private:
  struct Values {
    std::vector<OrtValue*> values;
    explicit Values(std::size_t size) : values(size, nullptr) {}
    Values(const Values&) = delete;
    ~Values() {
      for (OrtValue* value : values) if (value) api().ReleaseValue(value);
    }
  };

  static Tensor copied(OrtValue* value, Type type) {
    OrtTensorTypeAndShapeInfo* info = nullptr;
    check(api().GetTensorTypeAndShape(value, &info));
    std::size_t rank = 0;
    Shape shape;
    OrtStatus* status = api().GetDimensionsCount(info, &rank);
    shape.resize(rank);
    if (!status) status = api().GetDimensions(info, shape.data(), rank);
    api().ReleaseTensorTypeAndShapeInfo(info);
    check(status);
    Tensor tensor(type, shape);
    void* data = nullptr;
    check(api().GetTensorMutableData(value, &data));
    std::memcpy(tensor.bytes.data(), data, tensor.bytes.size());
    return tensor;
  }

  const File& file_;
  OrtEnv* environment_ = nullptr;
  OrtSession* session_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
};

}  // namespace

std::unique_ptr<Runtime> open_runtime(const std::string& path, const File& file, int threads) {
  return std::make_unique<Onnx>(path, file, threads);
}
