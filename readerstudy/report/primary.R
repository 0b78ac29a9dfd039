# The primary analysis: estimate, interval, equivalence by two one-sided tests, and the exact permutation test.
# Read by recompute.R; base R only. Readers and patients are random: Hillis, Stat Med 2014;33:330 on the covariances of
# DeLong 1988, or of Obuchowski 1997 where a patient gives several cases (see patients.R).

# Exact permutation of whole scores over cases: two-sided p of the sum over the synthetic ones, by counting subsets.
exact_permutation_p <- function(score, synthetic) {
  n <- length(score)
  m <- sum(synthetic)
  if (m == 0 || m == n) return(NA)
  shifted <- score - min(score)
  ways <- matrix(0, m + 1, sum(shifted) + 1)
  ways[1, 1] <- 1
  for (step in shifted) {
    moved <- cbind(matrix(0, m, step), ways[1:m, seq_len(ncol(ways) - step), drop = FALSE])
    ways[2:(m + 1), ] <- ways[2:(m + 1), ] + moved
  }
  sums <- seq_len(ncol(ways)) - 1
  far <- abs(n * sums - m * sum(shifted)) >= abs(n * sum(shifted[synthetic]) - m * sum(shifted)) - 1e-9
  sum(ways[m + 1, far]) / sum(ways[m + 1, ])
}

# Contributions (patients, readers) whose cross products are the covariance of the readers' estimates; whether a
# reader saw each kind that counts in two patients; the degrees of freedom of a variance over patients.
spread_of <- function(values, truth, patient, weight) {
  of <- max(patient)
  determined <- rep(TRUE, ncol(values))
  contributions <- sapply(seq_len(ncol(values)), function(j) {
    pulled <- numeric(of)
    for (kind in 0:1) {
      here <- truth == kind & !is.na(values[, j])
      if (weight[kind + 1, j] == 0) next
      if (length(unique(patient[here])) < 2) determined[j] <<- FALSE
      if (!any(here)) next
      pull <- weight[kind + 1, j] * others(tabulate(patient[here], of), sum(here))
      pulled <- pulled + pull * own_sums(values[here, j] - mean(values[here, j]), patient[here], of)
    }
    pulled
  })
  df <- Inf
  if (any(duplicated(patient))) {
    seen <- rowSums(!is.na(values)) > 0
    df <- over_patients(rep(0, sum(seen)), truth[seen], patient[seen], rowMeans(weight))$df
  }
  list(contributions = matrix(contributions, of), determined = determined, df = df)
}

# Mean over the readers, its standard error with readers and patients random, and its variance for these very readers.
# With `cautious` readers or fewer they do not bring the variance below that of these very readers, with `wary` or fewer
# they bring no degrees of freedom by being alike.
averaged <- function(estimates, spread, cautious = 0, wary = 0) {
  there <- !is.na(estimates)
  readers <- sum(there)
  sure <- there & spread$determined
  if (readers < 2 || sum(sure) < 2) return(NULL)
  cov <- crossprod(spread$contributions)[sure, sure]
  of_cases <- max((sum(cov) - sum(diag(cov))) / (sum(sure) * (sum(sure) - 1)), 0)
  of_readers <- var(estimates[there]) / readers
  if (readers <= cautious) of_readers <- max(of_readers, mean(cov) - of_cases)
  found <- list(value = mean(estimates[there]), fixed = if (sum(sure) == readers) mean(cov) else NA,
                df_patients = spread$df)
  variance <- of_readers + of_cases
  satterthwaite <- function(of_readers) {
    (of_readers + of_cases)^2 / (of_readers^2 / (readers - 1) + of_cases^2 / spread$df)
  }
  found$df <- satterthwaite(of_readers)
  # Few readers who are alike by chance bring no degrees of freedom.
  if (readers <= wary) {
    larger <- max(of_readers * (readers + 1) / (readers - 1), mean(cov) - of_cases)
    found$df <- min(found$df, satterthwaite(larger))
  }
  if (variance < 1e-20) {
    # Readers who happen to agree exactly leave the variance of their cases.
    variance <- mean(cov)
    found$df <- readers - 1
  }
  if (variance < 1e-20) return(NULL)
  found$se <- sqrt(variance)
  found
}

# Limits and tests of a mean over readers: of areas and shares on the logit scale, of what may lie below 0 as it is.
judged <- function(found, null, margin, alpha, logit = TRUE) {
  if (is.null(found)) return(list(estimate = NA))
  to <- if (logit) qlogis else identity
  back <- if (logit) plogis else identity
  se <- found$se * if (logit) 1 / (found$value * (1 - found$value)) else 1
  centre <- to(found$value)
  limits <- function(level) back(centre + c(-1, 1) * qt((1 + level) / 2, found$df) * se)
  wide <- limits(1 - alpha)
  narrow <- limits(1 - 2 * alpha)
  below <- pt((centre - to(max(null - margin, 0))) / se, found$df, lower.tail = FALSE)
  above <- pt((centre - to(min(null + margin, 1))) / se, found$df)
  list(estimate = found$value, low = max(0, wide[1]), high = min(1, wide[2]),
       p = 2 * pt(-abs((centre - to(null)) / se), found$df),
       tost_low = narrow[1], tost_high = narrow[2], tost_p = max(below, above))
}

enough_cases <- function(values, truth, patient) {
  answered <- rowSums(!is.na(values)) > 0
  all(vapply(0:1, function(kind) sum(truth == kind) >= 2 && length(unique(patient[truth == kind & answered])) >= 2, TRUE))
}

placements <- function(scores, truth) {
  placed <- scores
  placed[] <- NA
  for (j in seq_len(ncol(scores))) {
    synthetic <- which(truth == 1 & !is.na(scores[, j]))
    real <- which(truth == 0 & !is.na(scores[, j]))
    if (min(length(synthetic), length(real)) == 0) next
    above <- outer(scores[synthetic, j], scores[real, j], function(a, b) (a > b) + (a == b) / 2)
    placed[synthetic, j] <- rowMeans(above)
    placed[real, j] <- colMeans(above)
  }
  placed
}

areas_of <- function(placed, truth) {
  areas <- colMeans(placed[truth == 1, , drop = FALSE], na.rm = TRUE)
  ifelse(is.nan(areas), NA, areas)
}

# Area averaged over the readers, by DeLong's covariances or by leaving out one patient at a time.
area_found <- function(scores, truth, patient, covariance) {
  if (!enough_cases(scores, truth, patient)) return(NULL)
  placed <- placements(scores, truth)
  spread <- spread_of(placed, truth, patient, matrix(1, 2, ncol(scores)))
  if (covariance == "jackknife") {
    left <- vapply(unique(patient), function(one) {
      keep <- patient != one
      areas_of(placements(scores[keep, , drop = FALSE], truth[keep]), truth[keep])
    }, numeric(ncol(scores)))
    left <- t(matrix(left, ncol(scores)))
    pulled <- sqrt((nrow(left) - 1) / nrow(left)) * sweep(left, 2, colMeans(left))
    spread$determined <- spread$determined & !is.na(colSums(left))
    spread$contributions <- ifelse(is.na(pulled), 0, pulled)
  }
  averaged(areas_of(placed, truth), spread, wary = 4)
}

judged_both_kinds <- function(calls, truth) {
  answered <- function(kind) colSums(!is.na(calls[truth == kind, , drop = FALSE])) > 0
  answered(0) & answered(1)
}

# Share of right answers averaged over the readers; of one kind alone no share is an accuracy.
correct_found <- function(calls, truth, patient) {
  correct <- (calls == truth) + 0
  if (!enough_cases(correct, truth, patient)) return(NULL)
  averaged(ifelse(judged_both_kinds(calls, truth), colMeans(correct, na.rm = TRUE), NA),
           spread_of(correct, truth, patient, shares_of_kinds(calls, truth)), cautious = 3)
}

shares_of_kinds <- function(calls, truth) {
  counts <- rbind(colSums(!is.na(calls[truth == 0, , drop = FALSE])), colSums(!is.na(calls[truth == 1, , drop = FALSE])))
  sweep(counts, 2, pmax(colSums(!is.na(calls)), 1), "/")
}

# What raters who ignore the truth would reach with the shares of their answers.
chance_of <- function(calls, truth) {
  called <- colMeans(calls, na.rm = TRUE)
  weight <- shares_of_kinds(calls, truth)
  reached <- weight[2, ] * called + weight[1, ] * (1 - called)
  mean(reached[judged_both_kinds(calls, truth)])
}

# One half is chance where the design is balanced and every rater answered nearly as many cases of each kind.
one_half_is_chance <- function(calls, truth, balanced) {
  here <- judged_both_kinds(calls, truth)
  count <- function(kind) colSums(!is.na(calls[truth == kind, here, drop = FALSE]))
  balanced && all(abs(count(1) - count(0)) <= pmax(1, 0.05 * (count(1) + count(0))))
}

# Right answers within the margin; nothing where one half is not chance.
judged_correct <- function(calls, truth, patient, balanced, margin, alpha) {
  fixed <- one_half_is_chance(calls, truth, balanced)
  result <- judged(correct_found(calls, truth, patient), null = if (fixed) 0.5 else chance_of(calls, truth),
                   margin = margin, alpha = alpha)
  if (!fixed) result[names(result) %in% c("tost_low", "tost_high", "tost_p")] <- NA
  result
}

primary_auc <- function(scores, truth, patient, covariance, margin, alpha) {
  judged(area_found(scores, truth, patient, covariance), null = 0.5, margin = margin, alpha = alpha)
}

primary_permutation <- function(calls, truth, patient, balanced, margin, alpha, permutations) {
  result <- judged_correct(calls, truth, patient, balanced, margin, alpha)
  calls[, !judged_both_kinds(calls, truth)] <- NA
  seen <- rowSums(!is.na(calls)) > 0
  score <- 2 * rowSums(calls, na.rm = TRUE) - rowSums(!is.na(calls))
  # Within and between patients the permutation is drawn at random, as in analysis.json, only with other draws.
  result$p <- if (any(duplicated(patient[seen]))) permuted_p(score[seen], truth[seen], patient[seen], permutations) else
    exact_permutation_p(score[seen], truth[seen] == 1)
  result
}

# Exact limits and tests where every patient gives one case, those of the share over patients otherwise.
primary_ensemble <- function(row, votes, truth, patient, margin, alpha) {
  if (is.na(row$accuracy)) return(list(estimate = NA))
  if (any(duplicated(patient))) return(c(of_votes(votes, truth, patient, margin, alpha), list(p = row$p)))
  points <- row$correct
  n <- row$n
  list(estimate = row$accuracy, low = row$low, high = row$high,
       tost_low = if (points > 0) qbeta(alpha, points, n - points + 1) else 0,
       tost_high = if (points < n) qbeta(1 - alpha, points + 1, n - points) else 1,
       tost_p = max(pbeta(0.5 - margin, points, n - points + 1),
                    pbeta(0.5 + margin, points + 1, n - points, lower.tail = FALSE)), p = row$p)
}

# `votes` are the calls of all cases, once or twice over.
of_votes <- function(votes, truth, patient, margin, alpha) {
  truth <- rep_len(truth, length(votes))
  patient <- rep_len(patient, length(votes))
  rated <- !is.na(votes)
  if (!any(rated)) return(list(estimate = NA))
  found <- share_found(as.integer(votes[rated] == truth[rated]), truth[rated], patient[rated])
  if (is.na(found$se)) return(list(estimate = found$value))
  result <- judged(found, null = 0.5, margin = margin, alpha = alpha)
  result[names(result) != "p"]
}
