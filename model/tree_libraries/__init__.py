"""LightGBM, XGBoost and CatBoost in ONNX."""
