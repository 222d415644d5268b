"""What people do with a model: tell odd points, take noise away."""

from fastebm.tasks.anomaly import anomaly_score, anomaly_threshold
from fastebm.tasks.denoising import denoise

__all__ = ["anomaly_score", "anomaly_threshold", "denoise"]
