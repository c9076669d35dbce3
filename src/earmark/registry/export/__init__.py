"""The model for others: one program by ``torch.export``, MLflow's ``pyfunc`` from code, ONNX; all compared with ours."""
