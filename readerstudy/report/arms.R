# Arms (programs, or what they did) against all real cases and against each other; read by recompute.R after primary.R.
# Two arms are two conditions of Obuchowski & Rockette (1995) with Hillis' degrees of freedom: the real cases that they
# share and the hosts of twins come in through what each patient contributes to both areas.

# NULL where all synthetic cases are of one arm. `names` are those of the study in their order; `planned` names the arms
# of the plan, `margin` is that between two.
arms_of <- function(study, arm, names, planned, margin, alpha) {
  names <- names[names %in% arm[study$truth == 1]]
  if (length(names) < 2 || ncol(study$scores) == 0) return(NULL)
  own <- lapply(names, function(name) {
    rows <- study$truth == 0 | arm == name
    c(list(arm = name), primary_auc(study$scores[rows, , drop = FALSE], study$truth[rows], study$patient[rows],
                                    "delong", margin, alpha)[c("estimate", "low", "high", "p")])
  })
  own <- adjusted_apart(own, names %in% planned)
  couples <- combn(length(names), 2)
  pairs <- lapply(seq_len(ncol(couples)), function(k) pair_of(study, arm, names[couples[, k]], alpha))
  named <- vapply(pairs, function(pair) pair$first %in% planned && pair$second %in% planned, TRUE)
  list(arms = own, pairs = equal_pairs(adjusted_apart(pairs, named), named, margin, alpha),
       overall = if (length(names) > 2) all_equal(study, arm, names))
}

# Holm within the rows that the plan names, and within the others.
adjusted_apart <- function(rows, named) {
  p <- vapply(rows, function(row) if (is.null(row$p)) NA_real_ else as.numeric(row$p), 0)
  for (family in list(which(named), which(!named))) {
    known <- family[!is.na(p[family])]
    for (k in seq_along(known)) rows[[known[k]]]$p_adjusted <- p.adjust(p[known], "holm")[k]
  }
  rows
}

# Areas (arms, readers) with their spread over patients: an arm's columns hold its cases and the real ones.
side_by_side <- function(study, arm, names) {
  rows <- study$truth == 0 | arm %in% names
  truth <- study$truth[rows]
  scores <- do.call(cbind, lapply(names, function(name) {
    one <- study$scores[rows, , drop = FALSE]
    one[!(truth == 0 | arm[rows] == name), ] <- NA
    one
  }))
  placed <- placements(scores, truth)
  list(areas = matrix(areas_of(placed, truth), length(names), byrow = TRUE),
       spread = spread_of(placed, truth, study$patient[rows], matrix(1, 2, ncol(scores))))
}

pair_of <- function(study, arm, names, alpha) {
  found <- side_by_side(study, arm, names)
  known <- list(first = names[1], second = names[2])
  if (anyNA(found$areas)) return(known)
  readers <- ncol(found$areas)
  known$difference <- mean(found$areas[1, ]) - mean(found$areas[2, ])
  if (!all(found$spread$determined)) return(known)
  both <- if (readers > 1) conditions(found$areas, found$spread)
  known$readers_random <- !is.null(both)
  if (is.null(both)) {
    # One reader, or readers whose differences are all alike: nothing tells how readers differ.
    pulled <- found$spread$contributions
    apart <- rowMeans(pulled[, seq_len(readers), drop = FALSE]) - rowMeans(pulled[, readers + seq_len(readers), drop = FALSE])
    if (sum(apart^2) < 1e-20) return(known)
    both <- list(se = sqrt(sum(apart^2)), df = found$spread$df)
  }
  c(known, t_of_difference(known$difference, both$se, both$df, alpha))
}

t_of_difference <- function(gap, se, df, alpha) {
  half <- qt(1 - alpha / 2, df) * se
  list(se = se, df = df, low = gap - half, high = gap + half, p = 2 * pt(-abs(gap / se), df))
}

# Standard error of a difference of two conditions, and F of all of them; NULL where readers or cases tell no variance.
conditions <- function(areas, spread) {
  count <- nrow(areas)
  readers <- ncol(areas)
  cov <- array(crossprod(spread$contributions), c(readers, count, readers, count))
  mean_cov <- function(same_condition, same_reader) {
    picked <- outer(seq_len(readers), seq_len(readers), if (same_reader) "==" else "!=")
    mean(unlist(lapply(seq_len(count), function(i) lapply(seq_len(count), function(k) {
      if ((i == k) == same_condition) cov[, i, , k][picked]
    }))))
  }
  between <- max(mean_cov(TRUE, FALSE) - mean_cov(FALSE, FALSE), 0)
  rest <- areas - outer(rowMeans(areas), rep(1, readers)) - outer(rep(1, count), colMeans(areas)) + mean(areas)
  freedom <- (count - 1) * (readers - 1)
  ms_both <- sum(rest^2) / freedom
  denominator <- ms_both + readers * between
  if (min(denominator, ms_both) < 1e-20) return(NULL)
  df_of <- function(of_readers) {
    (of_readers + readers * between)^2 / (of_readers^2 / freedom + (readers * between)^2 / spread$df)
  }
  df <- df_of(ms_both)
  # Few readers who are alike by chance bring no degrees of freedom.
  if (readers <= 4) df <- min(df, df_of(ms_both * (freedom + 2) / freedom))
  statistic <- readers * sum((rowMeans(areas) - mean(areas))^2) / (count - 1) / denominator
  list(se = sqrt(2 / readers * denominator), df = df, statistic = statistic,
       p = pf(statistic, count - 1, df, lower.tail = FALSE))
}

all_equal <- function(study, arm, names) {
  found <- side_by_side(study, arm, names)
  if (ncol(found$areas) < 2 || anyNA(found$areas) || !all(found$spread$determined)) return(NULL)
  conditions(found$areas, found$spread)[c("statistic", "df", "p")]
}

# Two one-sided tests of the pairs that the plan names, a family of their own.
equal_pairs <- function(pairs, named, margin, alpha) {
  p <- rep(NA_real_, length(pairs))
  for (k in which(named)) {
    pair <- pairs[[k]]
    if (is.null(pair$se) || !pair$readers_random) next
    half <- qt(1 - alpha, pair$df) * pair$se
    p[k] <- max(pt((pair$difference + margin) / pair$se, pair$df, lower.tail = FALSE),
                pt((pair$difference - margin) / pair$se, pair$df))
    pairs[[k]][c("equivalence_low", "equivalence_high", "equivalence_p")] <-
      list(pair$difference - half, pair$difference + half, p[k])
  }
  for (k in which(!is.na(p))) pairs[[k]]$equivalence_p_adjusted <- p.adjust(p[!is.na(p)], "holm")[sum(!is.na(p[1:k]))]
  pairs
}
