# The primary measure by other choices, without each rater and each patient, and along other margins; read by recompute.R.
# A study is a list of calls, scores (cases, raters), truth, patient and codes of its cases.

other_margins <- c(0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3)

majority_of <- function(calls, tie_rule) {
  votes <- rowSums(calls, na.rm = TRUE)
  voters <- rowSums(!is.na(calls))
  majority <- ifelse(2 * votes > voters, 1, ifelse(2 * votes < voters, 0, NA))
  tied <- voters > 0 & 2 * votes == voters
  if (tie_rule == "synthetic") majority[tied] <- 1
  if (tie_rule == "real") majority[tied] <- 0
  majority[voters == 0] <- NA
  majority
}

# The majority's calls; where a tie counts half, all of them twice: a tied case is called once each way.
votes_of <- function(calls, tie_rule) {
  majority <- majority_of(calls, tie_rule)
  tied <- is.na(majority) & rowSums(!is.na(calls)) > 0
  if (tie_rule != "half_credit" || !any(tied)) return(majority)
  c(replace(majority, tied, 1), replace(majority, tied, 0))
}

# Two raters are too few for the test of their mean area.
enough_raters <- function(study) sum(!is.na(areas_of(placements(study$scores, study$truth), study$truth))) >= 3

# Value, limits and, for an AUC, the test of what is left of a study; the other tests permute the truth.
measured <- function(study, kind, covariance, tie_rule, alpha) {
  if (kind == "ensemble") {
    found <- of_votes(votes_of(study$calls, tie_rule), study$truth, study$patient, 0.15, alpha)
  } else if (kind == "auc") {
    found <- primary_auc(study$scores, study$truth, study$patient, covariance, 0.15, alpha)
  } else {
    found <- judged(correct_found(study$calls, study$truth, study$patient), null = 0.5, margin = 0.15, alpha = alpha)
  }
  or_na <- function(name) if (is.null(found[[name]])) NA else found[[name]]
  tested <- kind == "auc" && enough_raters(study)
  list(value = found$estimate, low = or_na("low"), high = or_na("high"), p = if (tested) or_na("p") else NA)
}

without_rater <- function(study, j) {
  study$calls <- study$calls[, -j, drop = FALSE]
  study$scores <- study$scores[, -j, drop = FALSE]
  study
}

# For these very raters only patients, or cases, are random.
of_these_raters <- function(study, kind, covariance, alpha) {
  if (kind == "ensemble") return(list(value = NA))
  found <- if (kind == "auc") area_found(study$scores, study$truth, study$patient, covariance) else
    correct_found(study$calls, study$truth, study$patient)
  if (is.null(found) || is.na(found$fixed) || found$fixed < 1e-20) return(list(value = NA))
  found$se <- sqrt(found$fixed)
  found$df <- found$df_patients
  fixed <- judged(found, null = 0.5, margin = 0.15, alpha = alpha)
  list(value = fixed$estimate, low = fixed$low, high = fixed$high, p = if (kind == "auc") fixed$p else NA)
}

along_margins <- function(study, kind, ensemble, votes, covariance, balanced, alpha) {
  lapply(other_margins, function(margin) {
    found <- switch(kind,
                    auc = primary_auc(study$scores, study$truth, study$patient, covariance, margin, alpha),
                    permutation = judged_correct(study$calls, study$truth, study$patient, balanced, margin, alpha),
                    ensemble = primary_ensemble(ensemble, votes, study$truth, study$patient, margin, alpha))
    list(margin = margin, p = if (is.null(found$tost_p)) NA else found$tost_p)
  })
}

sensitivity_of <- function(study, whole, complete, kind, ensemble, covariance, balanced, tie_rule, missing_rule, alpha) {
  if (!kind %in% c("auc", "permutation", "ensemble")) return(list())
  of <- function(part, by = covariance) measured(part, kind, by, tie_rule, alpha)
  rest <- if (missing_rule == "complete_cases") whole else rows_of(whole, complete)
  list(
    other = if (kind == "auc") of(study, by = setdiff(c("delong", "jackknife"), covariance)) else list(value = NA),
    fixed_readers = of_these_raters(study, kind, covariance, alpha),
    other_rule = if (all(complete)) list(value = NA) else of(rest),
    margins = along_margins(study, kind, ensemble, votes_of(study$calls, tie_rule), covariance, balanced, alpha),
    raters = lapply(seq_len(ncol(study$calls)), function(j)
      c(list(left_out = colnames(study$calls)[j]), of(without_rater(study, j)))),
    patients = lapply(unique(study$patient), function(one)
      c(list(left_out = paste(study$codes[study$patient == one], collapse = " ")),
        of(rows_of(study, study$patient != one))))
  )
}
