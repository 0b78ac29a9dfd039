# Shares and areas with the variance over patients, and the permutation of the truth within and between patients.
# Read by recompute.R where some patient gives more than one case.
# Variance: Obuchowski, Biometrics 1997;53:567, each patient held against the mean of the others (Bell & McCaffrey 2002).

others <- function(own, n) ifelse(n > own, sqrt(1 - 1 / pmax(n, 1)) / pmax(n - own, 1), 0)
own_sums <- function(values, who, of) {
  found <- numeric(of)
  sums <- rowsum(values, who)
  found[as.integer(rownames(sums))] <- sums
  found
}

# values, truth and patient of the answered cases; weight of real and of synthetic cases
variance_over_patients <- function(values, truth, patient, weight) {
  of <- max(patient)
  pulled <- numeric(of)
  for (kind in 0:1) {
    here <- truth == kind
    if (!any(here) || weight[kind + 1] == 0) next
    pull <- weight[kind + 1] * others(tabulate(patient[here], of), sum(here))
    pulled <- pulled + pull * own_sums(values[here] - mean(values[here]), patient[here], of)
  }
  sum(pulled^2)
}

over_patients <- function(values, truth, patient, weight) {
  of <- max(patient)
  spread <- matrix(0, of, of)
  for (kind in 0:1) {
    own <- tabulate(patient[truth == kind], of)
    pull <- weight[kind + 1] * others(own, sum(own))
    spread <- spread + diag(own * pull^2, of) - outer(own * pull, own * pull) / max(sum(own), 1)
  }
  enough <- function(kind) weight[kind + 1] == 0 || length(unique(patient[truth == kind])) >= 2
  # Where every patient gives one case, what patients differ is taken as known.
  df <- if (any(duplicated(patient))) sum(diag(spread))^2 / sum(spread^2) else Inf
  list(variance = variance_over_patients(values, truth, patient, weight), df = df, enough = enough(0) && enough(1))
}

# Share of right answers with its standard error over patients; none where all are right, or all wrong.
share_found <- function(correct, truth, patient) {
  weight <- c(sum(truth == 0), sum(truth == 1)) / length(correct)
  found <- over_patients(correct, truth, patient, weight)
  known <- list(value = mean(correct), se = NA, df = found$df, enough = found$enough)
  if (!found$enough || known$value %in% c(0, 1)) return(known)
  if (found$variance < 1e-20) found$variance <- variance_over_patients(correct, truth, seq_along(correct), weight)
  if (found$variance >= 1e-20) known$se <- sqrt(found$variance)
  known
}

share_over_patients <- function(correct, truth, patient, alpha) {
  found <- share_found(correct, truth, patient)
  if (!found$enough) return(list(low = NA, high = NA))
  if (found$value %in% c(0, 1)) {
    n <- length(unique(patient))
    limits <- binom.test(found$value * n, n, conf.level = 1 - alpha)$conf.int
    return(list(low = limits[1], high = limits[2]))
  }
  half <- qt(1 - alpha / 2, found$df) * found$se / (found$value * (1 - found$value))
  list(low = plogis(qlogis(found$value) - half), high = plogis(qlogis(found$value) + half))
}

area_se_over_patients <- function(score, truth, patient) {
  above <- outer(score[truth == 1], score[truth == 0], function(a, b) (a > b) + (a == b) / 2)
  placed <- numeric(length(score))
  placed[truth == 1] <- rowMeans(above)
  placed[truth == 0] <- colMeans(above)
  found <- over_patients(placed, truth, patient, c(1, 1))
  if (!found$enough || min(sum(truth), sum(1 - truth)) < 2) return(NA)
  if (found$variance < 1e-20) found$variance <- variance_over_patients(placed, truth, seq_along(score), c(1, 1))
  if (found$variance < 1e-20) NA else sqrt(found$variance)
}

# Two-sided p by Monte Carlo of scores, of one column of calls or of all votes. The statistic is the difference of the
# kinds' mean scores over its standard error over patients; scores are taken less the mean around which they are permuted.
permuted_p <- function(score, truth, patient, permutations) {
  if (length(unique(truth)) < 2) return(NA)
  mixed <- tapply(truth, patient, function(kinds) length(unique(kinds)) == 2)[as.character(patient)]
  level <- ave(score, patient)
  if (any(!mixed)) level[!mixed] <- mean(score[!mixed])
  score <- score - level
  whole <- unique(patient[!mixed])
  kind_of_whole <- truth[match(whole, patient)]
  exchanged <- length(unique(kind_of_whole)) == 2
  studentised <- length(unique(patient[truth == 1])) >= 2 && length(unique(patient[truth == 0])) >= 2
  if (exchanged && !studentised) return(NA)
  statistic <- function(label) {
    gap <- mean(score[label == 1]) - mean(score[label == 0])
    if (abs(gap) < 1e-9) return(0)
    if (!studentised) return(gap)
    se <- sqrt(variance_over_patients(score * (2 * label - 1), label, patient, c(1, 1)))
    if (se > 1e-9) gap / se else sign(gap) * Inf
  }
  relabelled <- function() {
    label <- truth
    if (exchanged) label[!mixed] <- sample(kind_of_whole)[match(patient[!mixed], whole)]
    for (one in unique(patient[mixed])) {
      own <- which(patient == one)
      label[own] <- label[own][sample.int(length(own))]
    }
    label
  }
  observed <- abs(statistic(truth))
  drawn <- replicate(permutations, abs(statistic(relabelled())))
  (1 + sum(drawn >= observed - 1e-9)) / (1 + permutations)
}
