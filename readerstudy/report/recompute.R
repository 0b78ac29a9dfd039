# Recomputes the main numbers of this report from ratings.csv, with base R and pROC, and prints them as JSON.
# Run it where the report was unpacked:  Rscript recompute.R > recomputed.json
# It was written apart from the platform's own statistics; recomputed.json and analysis.json should agree.

settings <- read.csv("settings.csv", stringsAsFactors = FALSE)
setting <- function(name) settings$value[settings$name == name]
levels_of_confidence <- as.integer(setting("confidence_levels"))
alpha <- as.numeric(setting("alpha"))
tie_rule <- setting("tie_rule")
missing_rule <- setting("missing_rule")
adjustment <- setting("adjustment")
family <- setting("family")
test <- setting("test")

ratings <- read.csv("ratings.csv", stringsAsFactors = FALSE, quote = "\"")
ratings <- ratings[ratings$valid == 1 & ratings$excluded == 0, ]
raters <- read.csv("raters.csv", stringsAsFactors = FALSE)
raters <- sort(raters$rater[raters$excluded == 0])
cases <- read.csv("cases.csv", stringsAsFactors = FALSE)
cases <- cases[order(cases$number), ]

calls <- matrix(NA, nrow(cases), length(raters), dimnames = list(cases$code, raters))
confidence <- calls
where <- cbind(match(ratings$case, cases$code), match(ratings$rater, raters))
calls[where] <- as.integer(ratings$answer == "synthetic")
confidence[where] <- ratings$confidence
truth <- as.integer(cases$truth == "synthetic")
if (missing_rule == "complete_cases") {
  keep <- rowSums(is.na(calls)) == 0
  calls <- calls[keep, , drop = FALSE]
  confidence <- confidence[keep, , drop = FALSE]
  truth <- truth[keep]
}

exact <- function(call) {
  rated <- !is.na(call)
  call <- call[rated]
  real <- truth[rated]
  n <- length(call)
  counts <- list(n = n, correct = sum(call == real), tp = sum(call == 1 & real == 1), fn = sum(call == 0 & real == 1),
                 fp = sum(call == 1 & real == 0), tn = sum(call == 0 & real == 0))
  if (n == 0) return(c(counts, list(accuracy = NA, low = NA, high = NA, binomial_p = NA, fisher_p = NA)))
  binomial <- binom.test(counts$correct, n, conf.level = 1 - alpha)
  table <- matrix(c(counts$tp, counts$fn, counts$fp, counts$tn), 2)
  c(counts, list(accuracy = counts$correct / n, low = binomial$conf.int[1], high = binomial$conf.int[2],
                 binomial_p = binomial$p.value, fisher_p = fisher.test(table)$p.value))
}

area <- function(call, sure) {
  if (levels_of_confidence == 0) return(list())
  score <- ifelse(call == 1, levels_of_confidence + sure, levels_of_confidence + 1 - sure)
  rated <- !is.na(score)
  if (length(unique(truth[rated])) < 2) return(list(auc = NA, auc_se = NA))
  curve <- pROC::roc(truth[rated], score[rated], levels = c(0, 1), direction = "<", quiet = TRUE)
  variance <- suppressWarnings(tryCatch(pROC::var(curve, method = "delong"), error = function(e) NA))
  # A variance of 0 is no certainty but too little data: no standard error.
  if (is.na(variance) || variance < 1e-20) variance <- NA
  list(auc = as.numeric(pROC::auc(curve)), auc_se = sqrt(variance))
}

rows <- lapply(seq_along(raters), function(j)
  c(list(rater = as.character(raters[j])), exact(calls[, j]), area(calls[, j], confidence[, j])))

votes <- rowSums(calls, na.rm = TRUE)
voters <- rowSums(!is.na(calls))
majority <- ifelse(2 * votes > voters, 1, ifelse(2 * votes < voters, 0, NA))
tied <- voters > 0 & 2 * votes == voters
if (tie_rule == "synthetic") majority[tied] <- 1
if (tie_rule == "real") majority[tied] <- 0
majority[voters == 0] <- NA
ensemble <- c(list(n_ties = sum(tied)), exact(majority))

p_of <- function(row) if (test == "binomial") row$binomial_p else row$fisher_p
p <- vapply(if (family == "raters_and_ensemble") c(rows, list(ensemble)) else rows, p_of, numeric(1))
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
  if (is.character(value)) return(paste0("\"", value, "\""))
  sprintf("%.17g", as.numeric(value))
}
cat(json(list(raters = rows, ensemble = ensemble, r = R.version.string,
              proc = as.character(packageVersion("pROC")))), "\n")
