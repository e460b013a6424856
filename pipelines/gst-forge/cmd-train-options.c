/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options of `gst-forge train`, in groups. The defaults of most depend on
 * the architecture, so that is looked for first; --help names forge-cnn's, and
 * --arch NAME --help those of another. */
#include "cmd-train-options.h"

#include <errno.h>
#include <string.h>

#include "command.h"

/* GOption knows int, int64 and double; ForgeTrainParams is made of these once
 * their ranges are known to hold. */
typedef struct {
  int epochs, batch, shift, patience, precise_bn, rate_batch, step_epochs,
      lookahead;
  int cutout, variants, unfreeze, tuning_epochs, muon_steps;
  gint64 seed;
} Numbers;

/* The value behind --NAME, --NAME= or -L; NULL without one. */
static const char *
find_option (int argc, char **argv, const char *name, char letter)
{
  const char *value = NULL;
  gsize length = strlen (name);
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    gboolean is_short = letter && word[0] == '-' && word[1] == letter;
    if (g_str_has_prefix (word, name) && word[length] == '=')
      value = word + length + 1;
    else if (is_short && word[2])
      value = word + 2;
    else if ((is_short || strcmp (word, name) == 0) && i + 1 < argc)
      value = argv[++i];
  }
  return value;
}

/* One option that takes a string into a field of params. */
typedef struct {
  const char *name;
  char letter;
  GOptionArg arg;
  const char **field;
  const char *text, *unit;
} Word;

/* One that takes a number, with its bounds. */
typedef struct {
  const char *name;
  char letter;
  GOptionArg arg; /* INT, INT64 or DOUBLE */
  gpointer field;
  double least, most;
  const char *text, *unit;
} Number;

/* A heading of --help with its options. */
typedef struct {
  GArray *entries;        /* GOptionEntry */
  GStringChunk *texts;    /* of them */
  GArray *ranges;         /* CommandRange without values */
  GArray *fields, *kinds; /* gpointer, GOptionArg: of the ranges */
  GPtrArray *words;       /* const char **: fields of params */
  GPtrArray *places;      /* char **: where GOption puts them */
} Parser;

static void
add_entry (Parser *parser, const char *name, char letter, int flags,
    GOptionArg arg, gpointer field, const char *text, const char *unit)
{
  const GOptionEntry entry = { name, letter, flags, arg, field,
    g_string_chunk_insert (parser->texts, text), unit };
  g_array_append_val (parser->entries, entry);
}

static void
add_words (Parser *parser, const Word *words, gsize n_words)
{
  for (gsize i = 0; i < n_words; i++) {
    const Word *word = &words[i];
    char **place = g_new0 (char *, 1);
    g_autofree char *text =
        *word->field ? g_strdup_printf ("%s (%s)", word->text, *word->field)
                     : g_strdup (word->text);
    g_ptr_array_add (parser->words, word->field);
    g_ptr_array_add (parser->places, place);
    add_entry (parser, word->name, word->letter, 0, word->arg, place, text,
        word->unit);
  }
}

static double
number_at (GOptionArg kind, gconstpointer field)
{
  if (kind == G_OPTION_ARG_INT)
    return *(const int *) field;
  if (kind == G_OPTION_ARG_INT64)
    return (double) *(const gint64 *) field;
  return *(const double *) field;
}

static void
add_numbers (Parser *parser, const Number *numbers, gsize n_numbers)
{
  for (gsize i = 0; i < n_numbers; i++) {
    const Number *number = &numbers[i];
    g_autofree char *text = g_strdup_printf (
        "%s (%g)", number->text, number_at (number->arg, number->field));
    g_autofree char *option = g_strconcat ("--", number->name, NULL);
    const CommandRange range = { g_string_chunk_insert (parser->texts, option),
      0, number->least, number->most };
    g_array_append_val (parser->ranges, range);
    g_array_append_val (parser->fields, number->field);
    g_array_append_val (parser->kinds, number->arg);
    add_entry (parser, number->name, number->letter, 0, number->arg,
        number->field, text, number->unit);
  }
}

/* What was added since the last heading. */
static GOptionGroup *
end_group (Parser *parser, const char *name, const char *heading)
{
  GOptionGroup *group = g_option_group_new (name, heading, heading, NULL, NULL);
  g_option_group_add_entries (
      group, (const GOptionEntry *) (void *) parser->entries->data);
  g_array_set_size (parser->entries, 0);
  return group;
}

static void
add_main (Parser *parser, TrainOptions *options, Numbers *n, const char **json,
    const char **plots)
{
  ForgeTrainParams *p = &options->params;
  const GOptionArg file = G_OPTION_ARG_FILENAME, text = G_OPTION_ARG_STRING;
  const Word words[] = {
    { "data", 'd', file, &p->data,
        "cifar10:DIR, fashion-mnist:DIR, or a folder of class folders or with "
        "a "
        "labels.csv",
        "SPEC" },
    { "out", 'o', file, &p->out, "ONNX file to write when training ends",
        "FILE" },
    { "arch", 'a', text, &p->arch,
        "forge-cnn, forge-resnet or mobilenet-v2, with options: "
        "forge-resnet:width1=32,residual=1; NAME:help lists them",
        "NAME" },
    { "checkpoint", 0, file, &p->checkpoint, "state to write after every epoch",
        "FILE" },
    { "log", 0, file, &p->log, "JSON lines, one an epoch, appended", "FILE" },
    { "name", 0, text, &p->name, "name recorded in the model", "TEXT" },
    { "version-label", 0, text, &p->version, "version recorded in the model",
        "TEXT" },
    { "weights", 0, text, &p->weights,
        "how the file keeps them: float32, or float16 or int8, half or a "
        "quarter of the bytes",
        "TYPE" },
    { "json", 0, file, json, "write a JSON document too; - is standard output",
        "FILE" },
    { "plots", 0, file, plots,
        "draw curves, confusion, reliability and mistakes into this folder; "
        "without --log, the log is put there too",
        "DIR" },
    { "best-by", 0, text, &p->best_by,
        "which epoch is the best: loss or accuracy on the validation part",
        "WORD" },
  };
  add_words (parser, words, G_N_ELEMENTS (words));
  const Number numbers[] = {
    { "epochs", 'e', G_OPTION_ARG_INT, &n->epochs, 1, 100000, "at most", "N" },
    { "batch", 'b', G_OPTION_ARG_INT, &n->batch, 1, COMMAND_MAX_BATCH,
        "images a step", "N" },
    { "patience", 0, G_OPTION_ARG_INT, &n->patience, 0, 100000,
        "epochs without a better one before it stops; 0 = go on", "N" },
    { "precise-bn", 0, G_OPTION_ARG_INT, &n->precise_bn, 0, 1000000000,
        "in the end, measure batch normalisation's statistics anew with so "
        "many training pictures; 0 = the running averages stay",
        "N" },
    { "threads", 't', G_OPTION_ARG_INT, &p->threads, 0, COMMAND_MAX_THREADS,
        "threads; 0 = all the process may use", "N" },
    { "seed", 0, G_OPTION_ARG_INT64, &n->seed, 0, COMMAND_MAX_SEED,
        "of everything random", "N" },
    { "validation-split", 0, G_OPTION_ARG_DOUBLE, &p->validation_split, 0,
        FORGE_MAX_VALIDATION,
        "share of the training pictures that validates, where the data has no"
        " such part; 0 = a tenth",
        "P" },
  };
  add_numbers (parser, numbers, G_N_ELEMENTS (numbers));
  add_entry (parser, "resume", 0, 0, G_OPTION_ARG_NONE, &p->resume,
      "go on from --checkpoint where it exists", NULL);
}

static GOptionGroup *
optimiser_group (Parser *parser, ForgeTrainParams *p, Numbers *n)
{
  const Word words[] = {
    { "optimiser", 0, G_OPTION_ARG_STRING, &p->optimiser,
        "adam, adamw (decoupled decay), sgd, or muon: hidden layers by "
        "orthogonal steps, the rest by sgd",
        "WORD" },
    { "freeze-weights", 0, G_OPTION_ARG_STRING, &p->freeze,
        "names that do not train, with * and ?; NAME@3 trains three epochs",
        "NAME,..." },
  };
  add_words (parser, words, G_N_ELEMENTS (words));
  const GOptionArg real = G_OPTION_ARG_DOUBLE;
  const Number numbers[] = {
    { "lr", 0, real, &p->learning_rate, 1e-12, 100,
        "learning rate at the height of the schedule", "X" },
    { "lr-batch", 0, G_OPTION_ARG_INT, &n->rate_batch, 0, COMMAND_MAX_BATCH,
        "--lr is for batches of so many, and goes with --batch; 0 = as it is",
        "N" },
    { "momentum", 0, real, &p->momentum, 0, 0.9999, "of sgd", "X" },
    { "muon-lr", 0, real, &p->muon_rate, 1e-12, 100,
        "muon's own rate, for any --batch, along the same schedule", "X" },
    { "muon-momentum", 0, real, &p->muon_momentum, 0, 0.9999, "of muon", "X" },
    { "muon-steps", 0, G_OPTION_ARG_INT, &n->muon_steps, 1, 20,
        "of Newton-Schulz, that make a step orthogonal", "N" },
    { "weight-decay", 0, real, &p->weight_decay, 0, 1, "0 = none", "X" },
    { "bias-lr", 0, real, &p->bias_rate, 1e-6, 1e6,
        "factor of the rate for biases", "X" },
    { "shift-lr", 0, real, &p->shift_rate, 1e-6, 1e6,
        "the same for shifts of batch normalisation", "X" },
    { "clip-norm", 0, real, &p->clip_norm, 0, 1e9,
        "longest gradient, over all weights; 0 = any", "X" },
    { "ema", 0, real, &p->ema_decay, 0, 0.999999,
        "decay of the average of the weights that is kept; 0 = off", "X" },
    { "lookahead", 0, G_OPTION_ARG_INT, &n->lookahead, 0, 100000,
        "steps between slow weights; 0 = off", "N" },
  };
  add_numbers (parser, numbers, G_N_ELEMENTS (numbers));
  add_entry (parser, "no-nesterov", 0, G_OPTION_FLAG_REVERSE, G_OPTION_ARG_NONE,
      &p->nesterov, "plain momentum", NULL);
  add_entry (parser, "muon-normalise", 0, 0, G_OPTION_ARG_NONE,
      &p->muon_normalise,
      "keep the norm of what moves by muon at the root of its filters' number",
      NULL);
  add_entry (parser, "no-muon-normalise", 0, G_OPTION_FLAG_REVERSE,
      G_OPTION_ARG_NONE, &p->muon_normalise,
      "let it grow (the default but for forge-resnet)", NULL);
  add_entry (parser, "decay-all", 0, 0, G_OPTION_ARG_NONE, &p->decay_all,
      "decay biases, scales and shifts too", NULL);
  return end_group (parser, "optimiser", "Optimiser:");
}

static GOptionGroup *
schedule_group (Parser *parser, ForgeTrainParams *p, Numbers *n)
{
  const Word words[] = { { "schedule", 0, G_OPTION_ARG_STRING, &p->schedule,
      "cosine, one-cycle, step or constant", "WORD" } };
  add_words (parser, words, G_N_ELEMENTS (words));
  const GOptionArg real = G_OPTION_ARG_DOUBLE;
  const Number numbers[] = {
    { "final-lr", 0, real, &p->final_learning_rate, -1, 100,
        "cosine ends there; negative = constant", "X" },
    { "warmup-epochs", 0, real, &p->warmup_epochs, 0, 100000,
        "of a rising rate, before any schedule", "X" },
    { "cycle-start", 0, real, &p->cycle_start, 0, 1,
        "one-cycle begins at this part of the rate", "X" },
    { "cycle-peak", 0, real, &p->cycle_peak, 0, 1,
        "is at its height after this part of the steps", "X" },
    { "cycle-end", 0, real, &p->cycle_end, 0, 1, "and ends at this part", "X" },
    { "step-epochs", 0, G_OPTION_ARG_INT, &n->step_epochs, 1, 100000,
        "epochs between steps", "N" },
    { "step-factor", 0, real, &p->step_factor, 0, 1, "of a step", "X" },
  };
  add_numbers (parser, numbers, G_N_ELEMENTS (numbers));
  return end_group (parser, "schedule", "Schedule of the learning rate:");
}

static GOptionGroup *
transfer_group (Parser *parser, ForgeTrainParams *p, Numbers *n)
{
  const GOptionArg file = G_OPTION_ARG_FILENAME;
  const Word words[] = {
    { "init", 0, file, &p->init,
        "go on with this network, of as many classes as the data has", "FILE" },
    { "backbone", 0, file, &p->backbone,
        "the same with a new last layer for the classes of the data", "FILE" },
  };
  add_words (parser, words, G_N_ELEMENTS (words));
  const Number numbers[] = {
    { "feature-variants", 0, G_OPTION_ARG_INT, &n->variants, 1, 1024,
        "with --freeze: versions of a picture, but for the first augmented",
        "N" },
    { "unfreeze", 0, G_OPTION_ARG_INT, &n->unfreeze, 0, 100000,
        "after --freeze, train so many of the last layers too", "N" },
    { "lr-scale", 0, G_OPTION_ARG_DOUBLE, &p->rate_scale, 1e-9, 1e3,
        "factor of the learning rate then", "X" },
    { "tuning-epochs", 0, G_OPTION_ARG_INT, &n->tuning_epochs, 1, 100000,
        "at most so many then", "N" },
  };
  add_numbers (parser, numbers, G_N_ELEMENTS (numbers));
  add_entry (parser, "freeze", 0, 0, G_OPTION_ARG_NONE, &p->freeze_backbone,
      "train only the new layer, on features computed once", NULL);
  return end_group (
      parser, "transfer", "Transfer, from a model file instead of --arch:");
}

static GOptionGroup *
loss_group (Parser *parser, ForgeTrainParams *p)
{
  const Word words[] = {
    { "loss", 0, G_OPTION_ARG_STRING, &p->loss,
        "softmax, or sigmoid: each class for itself, two by one output, and "
        "for pictures of several classes (labels.csv)",
        "WORD" },
    { "class-weights", 0, G_OPTION_ARG_STRING, &p->class_weights,
        "balanced, or a number for each class", "X,..." },
  };
  add_words (parser, words, G_N_ELEMENTS (words));
  const GOptionArg real = G_OPTION_ARG_DOUBLE;
  const Number numbers[] = {
    { "label-smoothing", 0, real, &p->label_smoothing, 0, 0.9,
        "part of the truth that is spread over all classes", "X" },
    { "dropout", 0, real, &p->dropout, 0, 0.99, "rate of the dropout layers",
        "P" },
    { "mixup", 0, real, &p->mixup, 0, 100,
        "blend pictures by Beta (X, X); 0 = off", "X" },
    { "prune-easy", 0, real, &p->prune_easy, 0, 0.95,
        "share of the pictures of low loss that sits an epoch out, for speed; "
        "0 = off",
        "P" },
    { "prune-until", 0, real, &p->prune_until, 0, 1,
        "after this part of the epochs all are used", "P" },
  };
  add_numbers (parser, numbers, G_N_ELEMENTS (numbers));
  return end_group (parser, "loss", "Loss and regularisation:");
}

static GOptionGroup *
augmentation_group (Parser *parser, ForgeTrainParams *p, Numbers *n)
{
  const Word words[] = {
    { "flip", 0, G_OPTION_ARG_STRING, &p->flip,
        "left-right: never, random, or alternating from epoch to epoch",
        "WORD" },
    { "border", 0, G_OPTION_ARG_STRING, &p->border,
        "what shift, rotation and zoom bring in: edge, reflect or zero",
        "WORD" },
  };
  add_words (parser, words, G_N_ELEMENTS (words));
  const GOptionArg real = G_OPTION_ARG_DOUBLE;
  const Number numbers[] = {
    { "shift", 0, G_OPTION_ARG_INT, &n->shift, 0, 64, "pixels at most", "N" },
    { "rotation", 0, real, &p->rotation, 0, 180, "degrees at most", "X" },
    { "zoom", 0, real, &p->zoom, 0, 0.9, "by 1 - X to 1 + X", "X" },
    { "brightness", 0, real, &p->brightness, 0, 1, "by 1 - X to 1 + X", "X" },
    { "contrast", 0, real, &p->contrast, 0, 1, "by 1 - X to 1 + X", "X" },
    { "saturation", 0, real, &p->saturation, 0, 1, "by 1 - X to 1 + X", "X" },
    { "hue", 0, real, &p->hue, 0, 180, "degrees at most", "X" },
    { "cutout", 0, G_OPTION_ARG_INT, &n->cutout, 0, 4096,
        "side of a grey square, pixels", "N" },
    { "erase", 0, real, &p->erase, 0, 1,
        "share of the pictures with a rectangle of noise", "P" },
  };
  add_numbers (parser, numbers, G_N_ELEMENTS (numbers));
  return end_group (
      parser, "augmentation", "Augmentation of training pictures (0 = off):");
}

static void
parser_init (Parser *parser)
{
  *parser =
      (Parser) { .entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry)),
        .texts = g_string_chunk_new (4096),
        .ranges = g_array_new (FALSE, FALSE, sizeof (CommandRange)),
        .fields = g_array_new (FALSE, FALSE, sizeof (gpointer)),
        .kinds = g_array_new (FALSE, FALSE, sizeof (GOptionArg)),
        .words = g_ptr_array_new (),
        .places = g_ptr_array_new_with_free_func (g_free) };
}

static void
parser_clear (Parser *parser)
{
  g_array_unref (parser->entries);
  g_string_chunk_free (parser->texts);
  g_array_unref (parser->ranges);
  g_array_unref (parser->fields);
  g_array_unref (parser->kinds);
  g_ptr_array_unref (parser->words);
  g_ptr_array_unref (parser->places);
}

/* Words that were given go into params, which borrows them. */
static void
take_words (const Parser *parser, TrainOptions *options)
{
  for (guint i = 0; i < parser->words->len; i++) {
    char **place = parser->places->pdata[i];
    if (!*place)
      continue;
    *(const char **) parser->words->pdata[i] = *place;
    g_ptr_array_add (options->strings, *place);
  }
}

static int
check_ranges (const Parser *parser)
{
  for (guint i = 0; i < parser->ranges->len; i++)
    g_array_index (parser->ranges, CommandRange, i).value =
        number_at (g_array_index (parser->kinds, GOptionArg, i),
            g_array_index (parser->fields, gpointer, i));
  return command_check_ranges ("train",
      (const CommandRange *) (void *) parser->ranges->data,
      parser->ranges->len);
}

static void
numbers_from (Numbers *n, const ForgeTrainParams *p)
{
  *n = (Numbers) { .epochs = (int) p->epochs,
    .batch = (int) p->batch,
    .shift = (int) p->shift,
    .patience = (int) p->patience,
    .precise_bn = (int) p->precise_bn,
    .rate_batch = (int) p->rate_batch,
    .step_epochs = (int) p->step_epochs,
    .lookahead = (int) p->lookahead,
    .muon_steps = (int) p->muon_steps,
    .cutout = (int) p->cutout,
    .variants = (int) p->feature_variants,
    .unfreeze = (int) p->unfreeze,
    .tuning_epochs = (int) p->tuning_epochs,
    .seed = (gint64) p->seed };
}

static void
numbers_to (const Numbers *n, ForgeTrainParams *p)
{
  p->epochs = (guint) n->epochs;
  p->batch = (guint) n->batch;
  p->shift = (guint) n->shift;
  p->patience = (guint) n->patience;
  p->precise_bn = (guint) n->precise_bn;
  p->rate_batch = (guint) n->rate_batch;
  p->step_epochs = (guint) n->step_epochs;
  p->lookahead = (guint) n->lookahead;
  p->muon_steps = (guint) n->muon_steps;
  p->cutout = (guint) n->cutout;
  p->feature_variants = (guint) n->variants;
  p->unfreeze = (guint) n->unfreeze;
  p->tuning_epochs = (guint) n->tuning_epochs;
  p->seed = (uint64_t) n->seed;
}

static int
parse (Parser *parser, int argc, char **argv, TrainOptions *options)
{
  ForgeTrainParams *params = &options->params;
  Numbers numbers;
  numbers_from (&numbers, params);
  gboolean no_flip = FALSE;
  const char *json = NULL, *plots = NULL;
  GOptionGroup *groups[] = { transfer_group (parser, params, &numbers),
    preprocess_options_group (&options->preprocess),
    optimiser_group (parser, params, &numbers),
    schedule_group (parser, params, &numbers), loss_group (parser, params),
    augmentation_group (parser, params, &numbers), NULL };
  add_main (parser, options, &numbers, &json, &plots);
  add_entry (parser, "no-flip", 0, 0, G_OPTION_ARG_NONE, &no_flip,
      "the same as --flip never", NULL);
  int status = command_parse_with_groups ("train",
      "Train a network on labelled pictures, write it as an ONNX file and "
      "evaluate that.\nAn interrupt stops it; --checkpoint and --resume go on "
      "later, bit for bit.\nDefaults, in brackets, are those of --arch, or of "
      "--init and "
      "--backbone.",
      (const GOptionEntry *) (void *) parser->entries->data, groups, &argc,
      &argv);
  take_words (parser, options);
  options->json = (char *) json;
  options->plots = (char *) plots;
  if (status < 0)
    status = check_ranges (parser);
  numbers_to (&numbers, params);
  if (no_flip)
    params->flip = "never";
  return status;
}

/* The curves are drawn from the log, so there must be one. */
static int
prepare_plots (TrainOptions *options)
{
  if (!options->plots)
    return -1;
  if (g_mkdir_with_parents (options->plots, 0777) != 0)
    return command_error ("--plots %s: %s", options->plots, g_strerror (errno));
  if (options->params.log)
    return -1;
  char *log = g_build_filename (options->plots, "training.jsonl", NULL);
  g_ptr_array_add (options->strings, log);
  options->params.log = log;
  return -1;
}

int
train_options_parse (int argc, char **argv, TrainOptions *options)
{
  ForgeTrainParams *params = &options->params;
  options->strings = g_ptr_array_new_with_free_func (g_free);
  const char *arch = find_option (argc, argv, "--arch", 'a');
  gboolean has_file = find_option (argc, argv, "--backbone", 0) ||
                      find_option (argc, argv, "--init", 0);
  g_autoptr (GError) error = NULL;
  if (has_file && arch)
    return command_usage_error (
        "train", "--arch does not go with --init or --backbone");
  if (has_file)
    forge_train_params_init_transfer (params);
  else if (!forge_train_params_init (params, arch ? arch : "forge-cnn", &error))
    return command_usage_error ("train", "--arch: %s", error->message);
  Parser parser;
  parser_init (&parser);
  int status = parse (&parser, argc, argv, options);
  parser_clear (&parser);
  if (status >= 0)
    return status;
  if (!params->data || !params->out)
    return command_usage_error ("train", "--data and --out are needed");
  if (params->resume && !params->checkpoint)
    return command_usage_error (
        "train", "--resume needs the --checkpoint to resume from");
  options->stated = preprocess_options_get (&options->preprocess);
  params->stated = &options->stated;
  return prepare_plots (options);
}

void
train_options_clear (TrainOptions *options)
{
  g_clear_pointer (&options->strings, g_ptr_array_unref);
  preprocess_options_clear (&options->preprocess);
}
