# Recomputes the main numbers of this report from ratings.csv, with base R, areas with pROC, and prints them as JSON.
# Run it where the report was unpacked:  Rscript recompute.R > recomputed.json
# It was written apart from the platform's own statistics; recomputed.json and analysis.json should agree.

settings <- read.csv("settings.csv", stringsAsFactors = FALSE)
setting <- function(name) settings$value[settings$name == name]
alpha <- as.numeric(setting("alpha"))
tie_rule <- setting("tie_rule")
missing_rule <- setting("missing_rule")
adjustment <- setting("adjustment")
family <- setting("family")
test <- setting("test")
by_patient <- setting("unit") == "patient"
# For a comparison fewer do: the error at p = .05 is .003.
permutations <- min(as.integer(setting("permutations")), 5000)
rater_tests <- strsplit(setting("rater_tests"), " ")[[1]]
margin <- as.numeric(setting("margin"))
primary_kind <- setting("primary_kind")
covariance <- setting("covariance")
source("task.R")
source("patients.R")
source("primary.R")
source("sensitivity.R")
source("repeats.R")
source("phases.R")
source("arms.R")
source("groups.R")
set.seed(1)

ratings <- read.csv("ratings.csv", stringsAsFactors = FALSE, quote = "\"")
ratings <- ratings[ratings$valid == 1 & ratings$excluded == 0, ]
raters <- read.csv("raters.csv", stringsAsFactors = FALSE)
raters <- raters[raters$excluded == 0, ]
raters <- raters[order(raters$rater), ]
group <- ifelse(is.na(raters$group), "", raters$group)
raters <- raters$rater
cases <- read.csv("cases.csv", stringsAsFactors = FALSE)
cases <- cases[order(cases$number), ]
# Positive controls are counted apart.
controls <- cases[cases$control == 1, ]
ratings_of_controls <- ratings[ratings$case %in% controls$code, ]
cases <- cases[cases$control == 0, ]
ratings <- ratings[!ratings$case %in% controls$code, ]
# Of a case that was shown twice the first answer counts.
both <- ratings
ratings <- ratings[ratings[["again"]] == 0, ]

calls <- matrix(NA, nrow(cases), length(raters), dimnames = list(cases$code, raters))
scores <- calls
where <- cbind(match(ratings$case, cases$code), match(ratings$rater, raters))
calls[where] <- call_of(ratings)
if (scored) scores[where] <- score_of(ratings) else scores <- calls
truth <- as.integer(cases$truth == "synthetic")
balanced <- setting("balanced") == "yes" && abs(length(truth) - 2 * sum(truth)) <= 1
patient <- match(cases$patient, unique(cases$patient))
whole <- list(calls = calls, scores = scores, truth = truth, codes = cases$code,
              patient = if (by_patient) patient else seq_along(truth))
rows_of <- function(study, keep) list(calls = study$calls[keep, , drop = FALSE],
                                      scores = study$scores[keep, , drop = FALSE], truth = study$truth[keep],
                                      codes = study$codes[keep], patient = study$patient[keep])
complete <- rowSums(is.na(calls)) == 0
study <- if (missing_rule == "complete_cases") rows_of(whole, complete) else whole
if (missing_rule == "complete_cases") {
  calls <- calls[complete, , drop = FALSE]
  scores <- scores[complete, , drop = FALSE]
  truth <- truth[complete]
  patient <- patient[complete]
}

exact <- function(call, half = FALSE) {
  rated <- !is.na(call)
  call <- call[rated]
  real <- truth[rated]
  own <- patient[rated]
  n <- length(call)
  counts <- list(n = n, correct = sum(call == real), tp = sum(call == 1 & real == 1), fn = sum(call == 0 & real == 1),
                 fp = sum(call == 1 & real == 0), tn = sum(call == 0 & real == 0))
  # Where only one kind of case was judged there is no share correct and no test, unless ties count half.
  if (length(unique(real)) < 2 && !half) return(c(counts, list(accuracy = NA, low = NA, high = NA, binomial_p = NA,
                                                               fisher_p = NA, permutation_p = NA)))
  binomial <- binom.test(counts$correct, n, conf.level = 1 - alpha)
  table <- matrix(c(counts$tp, counts$fn, counts$fp, counts$tn), 2)
  limits <- list(low = binomial$conf.int[1], high = binomial$conf.int[2])
  if (by_patient) limits <- share_over_patients(as.integer(call == real), real, own, alpha)
  c(counts, list(accuracy = counts$correct / n), limits,
    list(binomial_p = binomial$p.value, fisher_p = fisher.test(table)$p.value,
         permutation_p = if (by_patient) permuted_p(2 * call - 1, real, own, permutations) else NA))
}

area <- function(score) {
  if (!scored) return(list())
  rated <- !is.na(score)
  if (length(unique(truth[rated])) < 2) return(list(auc = NA, auc_se = NA))
  if (by_patient) return(list(auc = as.numeric(pROC::auc(truth[rated], score[rated], levels = c(0, 1), direction = "<",
                                                         quiet = TRUE)),
                              auc_se = area_se_over_patients(score[rated], truth[rated], patient[rated])))
  curve <- pROC::roc(truth[rated], score[rated], levels = c(0, 1), direction = "<", quiet = TRUE)
  variance <- suppressWarnings(tryCatch(pROC::var(curve, method = "delong"), error = function(e) NA))
  # A variance of 0 is no certainty but too little data: no standard error.
  if (is.na(variance) || variance < 1e-20) variance <- NA
  list(auc = as.numeric(pROC::auc(curve)), auc_se = sqrt(variance))
}

rows <- lapply(seq_along(raters), function(j)
  c(list(rater = as.character(raters[j])), exact(calls[, j]), area(scores[, j])))

votes <- rowSums(calls, na.rm = TRUE)
voters <- rowSums(!is.na(calls))
tied <- voters > 0 & 2 * votes == voters
majority <- majority_of(calls, tie_rule)
half <- tie_rule == "half_credit" && any(tied)
ensemble <- c(list(n_ties = sum(tied)), exact(majority, half && !all(is.na(majority))))
if (half && !by_patient) {
  # A tie is half a point: Clopper-Pearson's limits at that score, and the exact permutation of the three values.
  points <- ensemble$correct + sum(tied) / 2
  n <- sum(voters > 0)
  three <- ifelse(2 * votes > voters, 1, ifelse(2 * votes < voters, -1, 0))[voters > 0]
  ensemble[c("correct", "n", "accuracy")] <- list(points, n, points / n)
  ensemble$low <- qbeta(alpha / 2, points, n - points + 1)
  ensemble$high <- qbeta(1 - alpha / 2, points + 1, n - points)
  ensemble["binomial_p"] <- list(NULL)
  ensemble$permutation_p <- exact_permutation_p(three, truth[voters > 0] == 1)
}

p_of <- function(row, test) row[[paste0(test, "_p")]]
p <- mapply(p_of, rows, rater_tests)
ensemble$p <- p_of(ensemble, test)
if (family == "raters_and_ensemble") p <- c(p, ensemble$p)
# Tests that could not be done are no part of the family.
method <- c(fdr_bh = "BH", fdr_by = "BY")[adjustment]
if (is.na(method)) method <- adjustment
adjusted <- rep(NA_real_, length(p))
adjusted[!is.na(p)] <- p.adjust(p[!is.na(p)], method = method)
for (j in seq_along(rows)) rows[[j]]$p_adjusted <- adjusted[j]
if (family == "raters_and_ensemble") ensemble$p_adjusted <- adjusted[length(adjusted)]

json <- function(value) {
  if (is.null(value) || (length(value) == 1 && is.na(value))) return("null")
  if (is.list(value)) {
    parts <- vapply(value, json, character(1))
    if (is.null(names(value))) return(paste0("[", paste(parts, collapse = ", "), "]"))
    return(paste0("{", paste0("\"", names(value), "\": ", parts, collapse = ", "), "}"))
  }
  if (is.character(value)) return(paste0("\"", gsub("([\\\\\"])", "\\\\\\1", value), "\""))
  # JSON has no infinite degrees of freedom.
  if (is.finite(value)) sprintf("%.17g", as.numeric(value)) else "null"
}
primary <- switch(primary_kind,
                  auc = primary_auc(study$scores, truth, study$patient, covariance, margin, alpha),
                  permutation = primary_permutation(calls, truth, study$patient, balanced, margin, alpha, permutations),
                  ensemble = primary_ensemble(ensemble, votes_of(calls, tie_rule), truth, study$patient, margin, alpha),
                  list(estimate = NA))
sensitivity <- sensitivity_of(study, whole, complete, primary_kind, ensemble, covariance, balanced, tie_rule,
                              missing_rule, alpha)

units <- setNames(if (by_patient) cases$patient else cases$code, cases$code)
repeats <- if (any(both[["again"]] == 1)) repeats_of(both, raters, units, call_of, score_of, scored, alpha) else NULL

# What only some tasks have, such as marked places.
own <- if (exists("own_numbers")) list(task = own_numbers(ratings, whole, alpha))

phases <- phases_of_archive(setting, alpha)
arms <- arms_of(whole, cases$arm, setting("arm"), setting("compared_arm"), as.numeric(setting("compared_margin")), alpha)
by_area <- scored && setting("primary") == "reader_averaged_auc"
groups <- groups_of(if (by_area) whole$scores else whole$calls, whole$truth, whole$patient, group, alpha)

cat(json(c(list(primary = primary, repeats = repeats, phases = phases, arms = arms, groups = groups,
             sensitivity = sensitivity, raters = rows, ensemble = ensemble), own,
           list(r = R.version.string, proc = if (scored) as.character(packageVersion("pROC")) else NA))), "\n")
