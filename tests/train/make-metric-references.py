# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes metric-references.txt: predictions drawn from a seed, and what
# scikit-learn (Debian python3-sklearn) says of them. The calibration errors
# and the Brier score, which it does not have in this form, are NumPy formulas.
#   python3 make-metric-references.py > metric-references.txt
import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import classification_report, log_loss
from sklearn.metrics import top_k_accuracy_score

rng = np.random.default_rng(5)
n, k = 400, 7
truth = rng.integers(0, k - 1, n)  # the last class has no support
logits = rng.normal(size=(n, k)) * 2.5
logits[np.arange(n), truth] += 2.0
logits = logits.astype(np.float32)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def nll(t):
    p = softmax(logits.astype(np.float64) / t)
    return -np.log(p[np.arange(n), truth]).mean()


def ece(p):
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    edges = np.linspace(0, 1, 16)
    total = 0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
    return total


p = softmax(logits.astype(np.float64))
guess = p.argmax(axis=1)
report = classification_report(
    truth, guess, labels=np.arange(k), output_dict=True, zero_division=0)
onehot = np.eye(k)[truth]
best = minimize_scalar(nll, bounds=(0.05, 20), method="bounded",
                       options={"xatol": 1e-10})
q = softmax(logits.astype(np.float64) / best.x)
print(n, k)
for row, t in zip(logits, truth):
    print(t, *(repr(float(x)) for x in row))
for c in list(range(k)) + ["macro avg", "weighted avg"]:
    r = report[str(c)]
    print(*(repr(float(r[m])) for m in ("precision", "recall", "f1-score")),
          int(r["support"]))
print(repr(float((guess == truth).mean())))
print(repr(float(top_k_accuracy_score(truth, p, k=5, labels=np.arange(k)))))
print(repr(float(log_loss(truth, p, labels=np.arange(k)))))
print(repr(float(ece(p))))
print(repr(float(((p - onehot) ** 2).sum(axis=1).mean())))
print(repr(float(best.x)), repr(float(nll(best.x))), repr(float(ece(q))))
