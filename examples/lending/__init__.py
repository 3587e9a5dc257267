"""Mortgage applications of the Boston Fed study: predict the decline, explain it as Regulation B asks.

What goes in, and why. A lender may look at income, obligations, collateral, cash and credit history. Their
reasons are worded as in the sample form C-1 of Regulation B's Appendix C; cash and unverifiable information,
which that form does not list, are reasons for denial in Regulation C. Left out, though the study has them:

- race, sex, marital status, age, dependants: prohibited bases (15 USC 1691), here for fairness audits only;
- who the co-applicant is: incomes are added, so that it does not show whether there is one;
- where the property stands, the tract's minority share, its vacancies, its income: location stands for race;
- the kind of property and the number of its units: 36 % of the buyers of two- to four-family houses are
  not white against 12 % of those of single houses, and the model ranks no worse without it;
- schooling, years in the job, the industry's unemployment: they stand for age, sex and origin;
- having had no mortgage before: it stands for youth (correlation 0.17 with age) and is nobody's fault;
- late payments on a mortgage: 59 of 1,989 had any, too few for the model to weigh, and an input that is
  never scored can be no reason;
- what is known only afterwards or is itself a verdict: "meets guidelines", insurance refused, loan sold.

Inputs are cut so that one can change without the other: obligations other than housing are a ratio of
their own. The target is what lenders decided in 1990, not who repaid. A model of their decisions carries on
their habits; it shows how a decision is explained and is no advice how to take one.
"""

from examples.lending.building import build

__all__ = ["build"]
