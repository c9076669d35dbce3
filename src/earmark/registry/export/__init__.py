"""The model for others: a program by ``torch.export``, MLflow's ``pyfunc`` from code, ONNX; compared with ours."""
