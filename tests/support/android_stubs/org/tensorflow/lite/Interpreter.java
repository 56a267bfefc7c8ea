package org.tensorflow.lite;

public final class Interpreter implements AutoCloseable {
  public static class Options {
    public Options setNumThreads(int threads) { return this; }
  }
  public Interpreter(java.nio.ByteBuffer model, Options options) {}
  public void runForMultipleInputsOutputs(Object[] inputs, java.util.Map<Integer, Object> outputs) {}
  public void close() {}
}
