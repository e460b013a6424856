# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes multi-label-references.txt: sets of classes and probabilities drawn
# from a seed, and what scikit-learn (Debian python3-sklearn) says of them. The
# negative log likelihood and the Brier score, which it does not have in this
# form, are NumPy formulas.
#   python3 make-multi-label-references.py > multi-label-references.txt
import numpy as np
from sklearn.metrics import accuracy_score, classification_report
from sklearn.metrics import hamming_loss, multilabel_confusion_matrix

rng = np.random.default_rng(11)
n, k = 120, 6
truth = (rng.random((n, k)) < [0.5, 0.3, 0.2, 0.1, 0.6, 0.05]).astype(int)
truth[:8] = 0  # pictures of no class
logits = rng.normal(size=(n, k)) * 1.5 + (2 * truth - 1) * 1.2
logits[:, 3] = -np.abs(logits[:, 3])  # a class that is never named
logits[:4] = -3  # right in all, with nothing named
p = (1 / (1 + np.exp(-logits))).astype(np.float32).astype(np.float64)
guess = (p > 0.5).astype(int)
report = classification_report(truth, guess, output_dict=True, zero_division=0)
print(n, k)
for i in range(n):
    print(*truth[i], *(repr(float(x)) for x in p[i]))
for c in list(range(k)) + ["micro avg", "macro avg", "weighted avg", "samples avg"]:
    r = report[str(c)]
    print(*(repr(float(r[m])) for m in ("precision", "recall", "f1-score")),
          int(r["support"]))
print(*multilabel_confusion_matrix(truth, guess).ravel())
print(repr(float(accuracy_score(truth, guess))))
print(repr(float(hamming_loss(truth, guess))))
q = np.where(truth == 1, p, 1 - p)
print(repr(float(-np.log(q).sum(axis=1).mean())))
print(repr(float(((p - truth) ** 2).sum(axis=1).mean())))
